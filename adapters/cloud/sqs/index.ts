/** The queue that EventBridge fills with what EC2 tells of spot instances, long before a poll would see it. One gateway reads it for all its clusters. */
import { DeleteMessageBatchCommand, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import type { CloudId, Instant } from '../../../src/domain/ids.ts';
import type { CloudNotice } from '../../../src/domain/instance.ts';
import type { Clock } from '../../../src/ports.ts';
import type { Log } from '../../wrap.ts';
import { type ConnectConfig, connect } from '../ec2/connect.ts';
import { parseReceived, readEvent } from './schema.ts';

export interface QueueConfig extends Omit<ConnectConfig, 'endpoint'> {
  /** Its host is where it is asked. */
  readonly url: string;
  /** Of one long poll, default 20, which is the most that SQS waits. */
  readonly waitSeconds?: number | undefined;
}

export interface InterruptionQueue {
  /**
   * Waits for what it tells next, some of it twice; empty after the wait of a long poll, or once `stop` is. Whoever asks while another waits gets
   * the same answer.
   * Faults: `refused` (rights, no such queue), `unreachable`, `throttled`, `transient`.
   */
  read(stop?: AbortSignal): Promise<readonly CloudNotice[]>;
  /** Those that it said are taken back, a quarter of an hour long or until they are forgotten. */
  takenBack(): readonly CloudId[];
  /** They ended. */
  forget(ids: readonly CloudId[]): void;
  /** That it could be read, and what was read be deleted; nothing is. */
  check(at: string): Promise<void>;
  close(): Promise<void>;
}

/** Notice is two minutes; after this the instance is gone, or the list of spot requests says that it goes. */
const keptMs = 15 * 60_000;
const complaintMs = 60_000;
/** Most messages of one call, SQS's own limit. */
const most = 10;

export function interruptionQueue(
  { url, waitSeconds = 20, ...config }: QueueConfig,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): InterruptionQueue {
  const { client, calling } = connect(SQSClient, {
    ...config,
    endpoint: new URL(url).origin,
    requestTimeoutMs: waitSeconds * 1_000 + (config.requestTimeoutMs ?? 30_000),
  });
  const closing = new AbortController();
  const taken = new Map<CloudId, Instant>();
  let handles: readonly string[] = [];
  let reading: Promise<readonly CloudNotice[]> | undefined;
  let strange = 0;
  let complainedAt: Instant | undefined;

  async function next(): Promise<readonly CloudNotice[]> {
    const at = 'cloud.notices';
    await remove(at);
    const command = new ReceiveMessageCommand({
      QueueUrl: url,
      MaxNumberOfMessages: most,
      WaitTimeSeconds: waitSeconds,
    });
    const messages = await calling(at, 'reads', async () =>
      parseReceived(await client.send(command, { abortSignal: closing.signal })),
    );
    handles = messages.map(({ ReceiptHandle }) => ReceiptHandle);
    const notices: CloudNotice[] = [];
    let unknown = 0;
    for (const { Body } of messages) {
      const read = readEvent(Body);
      if (read === 'strange') unknown += 1;
      else if (read !== 'passed-over') notices.push(read);
    }
    for (const { id, what } of notices)
      if (what === 'taken-back' && !taken.has(id)) taken.set(id, clock.now());
    if (unknown > 0) complain(unknown);
    return notices;
  }

  /**
   * By now whoever asked was told, and here it is kept. One that could not be deleted comes again, and so does what a gateway read that then died: the
   * next one hears of it. The spot requests tell it besides.
   */
  async function remove(at: string): Promise<void> {
    if (handles.length === 0) return;
    const Entries = handles.map((ReceiptHandle, i) => ({ Id: `${i}`, ReceiptHandle }));
    handles = [];
    const command = new DeleteMessageBatchCommand({ QueueUrl: url, Entries });
    await calling(at, 'changes', () => client.send(command, { abortSignal: closing.signal }));
  }

  /** A line a minute at most, however much somebody else's rule sends. */
  function complain(unknown: number): void {
    strange += unknown;
    const at = clock.now();
    if (complainedAt !== undefined && at - complainedAt < complaintMs) return;
    const text =
      'the interruption queue has messages that are no event of EC2 on spot; they are deleted. Look which rule or account sends there';
    log.warn({ queue: url, messages: strange }, text);
    [strange, complainedAt] = [0, at];
  }

  return {
    read: (stop) => {
      reading ??= next().finally(() => {
        reading = undefined;
      });
      return stop === undefined ? reading : unlessStopped(reading, stop);
    },
    takenBack: () => {
      for (const [id, since] of taken) if (clock.now() - since > keptMs) taken.delete(id);
      return [...taken.keys()];
    },
    forget: (ids) => {
      for (const id of ids) taken.delete(id);
    },
    check: async (at) => {
      // What it may show stays visible for everybody else.
      const peek = { MaxNumberOfMessages: 1, WaitTimeSeconds: 0, VisibilityTimeout: 0 };
      await calling(at, 'reads', () => client.send(new ReceiveMessageCommand({ QueueUrl: url, ...peek })));
      // A handle that is none: whoever may delete is told so of the one entry, whoever may not is refused.
      const Entries = [{ Id: '0', ReceiptHandle: 'spillway-check' }];
      const command = new DeleteMessageBatchCommand({ QueueUrl: url, Entries });
      await calling(at, 'reads', () => client.send(command));
    },
    close: async () => {
      closing.abort();
      client.destroy();
    },
  };
}

/** The read itself goes on, for others who wait for it. */
const unlessStopped = (
  read: Promise<readonly CloudNotice[]>,
  stop: AbortSignal,
): Promise<readonly CloudNotice[]> =>
  new Promise((resolve, reject) => {
    const stopped = (): void => resolve([]);
    if (stop.aborted) stopped();
    stop.addEventListener('abort', stopped, { once: true });
    read.then(resolve, reject).finally(() => stop.removeEventListener('abort', stopped));
  });
