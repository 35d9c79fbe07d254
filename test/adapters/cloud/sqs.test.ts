/** What EventBridge puts on a queue, as AWS's manuals show it, and the queue's reader against a server that answers as SQS does. */
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { type InterruptionQueue, interruptionQueue } from '../../../adapters/cloud/sqs/index.ts';
import { readEvent } from '../../../adapters/cloud/sqs/schema.ts';
import { cloudId, instant } from '../../../src/domain/ids.ts';
import { expectFault } from '../../contract/cloud.cases.ts';
import { events as event } from '../../fixtures/eventbridge.ts';

const id = cloudId('i-1234567890abcdef0');

describe('an event of EC2', () => {
  it.each(['terminate', 'stop', 'hibernate'])('that warns of an interruption (%s) is a notice', (action) => {
    expect(readEvent(event.interruption(id, action))).toEqual({ id, what: 'taken-back' });
  });

  it('that recommends to rebalance is a note, and no interruption', () => {
    expect(readEvent(event.rebalance(id))).toEqual({ id, what: 'at-risk' });
  });

  it('of a state, and what AWS Health schedules, is passed over', () => {
    expect(readEvent(event.state(id, 'terminated'))).toBe('passed-over');
    expect(readEvent(event.health(id))).toBe('passed-over');
  });

  it.each([
    '',
    'no JSON',
    'null',
    '[]',
    '{}',
    '{"source":"aws.ec2","detail-type":"EC2 Spot Instance Interruption Warning"}',
    event.interruption('', 'terminate'),
    event.interruption('i-1234 or another', 'terminate'),
    event.interruption(id, 'terminate').replace('aws.ec2', 'somebody.else'),
    event.interruption(id, 'terminate').replace('EC2 Spot Instance Interruption Warning', 'constructor'),
    event.interruption(id, 'terminate').replace('"instance-id"', '"__proto__"'),
    '['.repeat(200_000),
  ])('that is none is strange: no. %#', (body) => {
    expect(readEvent(body)).toBe('strange');
  });
});

describe('the queue', () => {
  const open: { close(): Promise<void> }[] = [];
  afterEach(async () => {
    for (const one of open.splice(0)) await one.close();
  });

  type Action = 'ReceiveMessage' | 'DeleteMessageBatch';
  interface Asked {
    readonly action: Action;
    readonly body: {
      readonly Entries?: readonly { readonly ReceiptHandle: string }[];
      [key: string]: unknown;
    };
  }

  /** A queue whose messages stay until they are deleted; `refuses` answers a call with SQS's error. */
  async function start(bodies: readonly string[] = []) {
    const messages = bodies.map((Body, i) => ({ Body, ReceiptHandle: `handle-${i}`, MessageId: `m${i}` }));
    const asked: Asked[] = [];
    const refuses = new Map<Action, string>();
    const state = { hangs: false };
    const server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const action = `${request.headers['x-amz-target']}`.replace('AmazonSQS.', '') as Action;
        const body = JSON.parse(Buffer.concat(chunks).toString()) as Asked['body'];
        asked.push({ action, body });
        const send = (status: number, said: unknown) =>
          response
            .writeHead(status, { 'content-type': 'application/x-amz-json-1.0' })
            .end(JSON.stringify(said));
        const code = refuses.get(action);
        if (code !== undefined)
          return send(400, { __type: `com.amazonaws.sqs#${code}`, message: `${code}, says SQS` });
        if (action === 'DeleteMessageBatch') {
          for (const { ReceiptHandle } of body.Entries ?? [])
            messages.splice(0, messages.length, ...messages.filter((m) => m.ReceiptHandle !== ReceiptHandle));
          return send(200, { Successful: [], Failed: [] });
        }
        if (state.hangs) return undefined;
        const md5 = (text: string) => createHash('md5').update(text).digest('hex');
        return send(200, {
          Messages: messages.slice(0, 10).map((m) => ({ ...m, MD5OfBody: md5(m.Body) })),
        });
      });
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/123456789012/spillway`;
    const close = async () => {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    };
    const lines: unknown[] = [];
    const clock = { ms: 1_000_000, now: () => instant(clock.ms) };
    const log = {
      info: () => undefined,
      warn: (fields: unknown, text: string) => lines.push([fields, text]),
    };
    const queue: InterruptionQueue = interruptionQueue(
      {
        ...{ url, region: 'eu-sim-1', credentials: { accessKeyId: 'test', secretAccessKey: 'test' } },
        ...{ maxAttempts: 1, connectTimeoutMs: 500, requestTimeoutMs: 5_000 },
      },
      { clock, log },
    );
    open.push(queue, { close });
    return { queue, asked, refuses, state, lines, clock, messages, url, close };
  }

  it('tells what is in it, and has it deleted once whoever asked was told', async () => {
    const s = await start([event.interruption(id), event.rebalance('i-0fedcba9876543210')]);
    expect(await s.queue.read()).toEqual([
      { id, what: 'taken-back' },
      { id: 'i-0fedcba9876543210', what: 'at-risk' },
    ]);
    expect(s.asked.map(({ action }) => action)).toEqual(['ReceiveMessage']);
    expect(s.asked[0]?.body).toEqual({ QueueUrl: s.url, MaxNumberOfMessages: 10, WaitTimeSeconds: 20 });
    expect(s.queue.takenBack()).toEqual([id]);
    expect(await s.queue.read()).toEqual([]);
    expect([s.asked.map(({ action }) => action)[1], s.messages]).toEqual(['DeleteMessageBatch', []]);
    expect(s.queue.takenBack()).toEqual([id]);
  });

  it('tells what it could not delete again, and says why; what it told is not lost', async () => {
    const s = await start([event.interruption(id)]);
    s.refuses.set('DeleteMessageBatch', 'AccessDeniedException');
    await s.queue.read();
    const error = await expectFault(s.queue.read(), 'refused');
    expect(error.message).toContain('IAM policy');
    expect(s.queue.takenBack()).toEqual([id]);
    expect(await s.queue.read()).toEqual([{ id, what: 'taken-back' }]);
  });

  it('drops an instance that is known to be gone, and any after a quarter of an hour', async () => {
    const other = cloudId('i-0fedcba9876543210');
    const s = await start([event.interruption(id), event.interruption(other)]);
    await s.queue.read();
    s.queue.forget([id]);
    expect(s.queue.takenBack()).toEqual([other]);
    s.clock.ms += 15 * 60_000 + 1;
    expect(s.queue.takenBack()).toEqual([]);
  });

  it('deletes what is no event of these, with one line a minute however much there is', async () => {
    const s = await start([
      ...Array.from({ length: 25 }, () => 'spam'),
      event.state(id, 'running'),
      event.interruption(id),
    ]);
    const told = [];
    for (let i = 0; i < 4; i++) told.push(...(await s.queue.read()));
    expect([told, s.messages]).toEqual([[{ id, what: 'taken-back' }], []]);
    expect(s.lines).toEqual([[{ queue: s.url, messages: 10 }, expect.stringContaining('deleted')]]);
    s.messages.push({ Body: 'more', ReceiptHandle: 'x', MessageId: 'x' });
    s.clock.ms += 61_000;
    await s.queue.read();
    expect(s.lines[1]).toEqual([{ queue: s.url, messages: 16 }, expect.anything()]);
  });

  it('is read once for all who wait, and whoever stops does not wait for it', async () => {
    const s = await start();
    s.state.hangs = true;
    const stop = new AbortController();
    const [stopped, waits] = [s.queue.read(stop.signal), s.queue.read(new AbortController().signal)];
    stop.abort();
    expect(await stopped).toEqual([]);
    expect(await s.queue.read(stop.signal)).toEqual([]);
    const ended = waits.then(
      () => 'told',
      () => 'closed',
    );
    await s.queue.close();
    expect(await ended).toBe('closed');
    expect(s.asked.filter(({ action }) => action === 'ReceiveMessage').length).toBeLessThanOrEqual(1);
  });

  it('that is not there, or not reached, is a fault with what to do', async () => {
    const s = await start();
    s.refuses.set('ReceiveMessage', 'QueueDoesNotExist');
    expect((await expectFault(s.queue.read(), 'refused')).message).toContain('interruptionQueue');
    s.refuses.set('ReceiveMessage', 'RequestThrottled');
    await expectFault(s.queue.read(), 'throttled');
    const away = await start();
    await away.close();
    await expectFault(away.queue.read(), 'unreachable');
    await expectFault(away.queue.check('cloud.check'), 'unreachable');
  });

  it('is checked without hiding or taking anything', async () => {
    const s = await start([event.interruption(id)]);
    await s.queue.check('cloud.check');
    expect(s.asked[0]?.body).toMatchObject({ VisibilityTimeout: 0, WaitTimeSeconds: 0 });
    expect([s.messages.length, s.queue.takenBack()]).toEqual([1, []]);
    s.refuses.set('DeleteMessageBatch', 'AccessDenied');
    await expectFault(s.queue.check('cloud.check'), 'refused');
  });
});
