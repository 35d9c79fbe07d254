import {
  createPostgresBackend,
  type PostgresConnectionOptions,
  type PostgresQueueBackend,
  Queue,
  Worker,
} from 'bullmq';
import { PortError } from '../../src/domain/fault.ts';
import { retryAfterMs, Turns, Waiting } from '../../src/domain/turns.ts';
import type { WakeId, WakePort } from '../../src/ports.ts';

export interface BullWakeOptions {
  readonly url: string;
  /** What goes wrong where nobody waits for it. */
  readonly onError: (what: string, e: unknown) => void;
  /** Handlers at a time. */
  readonly concurrency?: number;
  readonly queue?: string;
}

interface Wake {
  readonly id: WakeId;
  readonly due: number;
}

type WakeQueue = Queue<
  Wake,
  void,
  string,
  Wake,
  void,
  string,
  PostgresQueueBackend,
  PostgresConnectionOptions
>;

/** BullMQ's own tables, apart from ours. */
const schema = 'spillway_wake';
/** A wake that has not come this long after its time was lost. */
const patienceMs = 2_000;

/** Makes the queue's tables and answers once it can be used. Faults: `unreachable`. */
export async function openBullWake(options: BullWakeOptions): Promise<WakePort> {
  const wake = new BullWake(options);
  try {
    await wake.ready();
  } catch (e) {
    await wake.close().catch(() => undefined);
    throw unreachable('wake.open', e);
  }
  return wake;
}

/**
 * BullMQ carries wakes between gateways and over restarts; its Postgres backend on our database, without waiting for the disk: a
 * lost wake costs a sweep's delay. BullMQ tells jobs apart by id only while they wait, so merging is done here.
 */
class BullWake implements WakePort {
  private readonly options: BullWakeOptions;
  private readonly queue: WakeQueue;
  private readonly turns = new Turns<WakeId>();
  private readonly waiting = new Waiting<WakeId>(patienceMs);
  private readonly failures = new Map<WakeId, number>();
  private readonly retries = new Set<NodeJS.Timeout>();
  private worker: { close(): Promise<void> } | undefined;
  private closing: Promise<void> | undefined;
  private closed = false;

  constructor(options: BullWakeOptions) {
    this.options = options;
    // The backend must be the last argument: left out, BullMQ speaks Redis without a word.
    this.queue = new Queue(
      this.name,
      // Nobody listens to BullMQ's events.
      { connection: this.connection(4, true), streams: { events: { maxLen: 100 } } },
      createPostgresBackend,
    );
    this.queue.on('error', (e) => options.onError('queue', e));
  }

  private get name(): string {
    return this.options.queue ?? 'wake';
  }

  private connection(max: number, migrate: boolean): PostgresConnectionOptions {
    return {
      connectionString: this.options.url,
      schema,
      migrate,
      max,
      application_name: 'spillway wake',
      options: '-c synchronous_commit=off',
      connectionTimeoutMillis: 5_000,
      keepAlive: true,
    };
  }

  async ready(): Promise<void> {
    await this.queue.waitUntilReady();
  }

  async wake(id: WakeId, afterMs = 0): Promise<void> {
    if (this.closed) return;
    // The turn that runs is itself a job that outlives us, so nothing is lost by not sending another.
    if (afterMs <= 0 && this.turns.again(id)) return;
    const delay = Math.max(0, Math.ceil(afterMs));
    const now = Date.now();
    if (!this.waiting.add(id, now, delay)) return;
    const due = now + delay;
    try {
      await this.queue.add('wake', { id, due }, { delay, removeOnComplete: true, removeOnFail: true });
    } catch (e) {
      this.waiting.remove(id, due);
      throw unreachable('wake.wake', e);
    }
  }

  async start(handler: (id: WakeId) => Promise<void>): Promise<void> {
    if (this.worker !== undefined) throw new PortError('invalid', 'wake.start', 'started already');
    const { concurrency = 16, onError } = this.options;
    const worker = new Worker(
      this.name,
      (job: { readonly data: Wake }) => this.arrived(job.data, handler),
      {
        connection: this.connection(concurrency + 2, false),
        concurrency,
        removeOnComplete: { count: 0 },
        removeOnFail: { count: 0 },
        // A gateway that was killed leaves its wakes active; they come again when their lock has run out.
        maxStalledCount: 1_000_000,
        lockDuration: 15_000,
        stalledInterval: 15_000,
        runRetryDelay: 500,
      },
      createPostgresBackend,
    );
    this.worker = worker;
    worker.on('error', (e) => onError('queue', e));
    await worker.waitUntilReady();
  }

  private async arrived({ id, due }: Wake, handler: (id: WakeId) => Promise<void>): Promise<void> {
    this.waiting.remove(id, due);
    try {
      await this.turns.run(id, handler);
      this.failures.delete(id);
    } catch (e) {
      const failures = (this.failures.get(id) ?? 0) + 1;
      this.failures.set(id, failures);
      this.options.onError(`${id} failed and is woken again later`, e);
      await this.wake(id, retryAfterMs(failures)).catch(() => this.byTimer(id, retryAfterMs(failures)));
    }
  }

  /** The queue is away too: remembered here until it is back. */
  private byTimer(id: WakeId, ms: number): void {
    const timer = setTimeout(() => {
      this.retries.delete(timer);
      this.wake(id).catch(() => this.byTimer(id, ms));
    }, ms);
    this.retries.add(timer);
  }

  async ping(): Promise<void> {
    try {
      await this.queue.getWaitingCount();
    } catch (e) {
      throw unreachable('wake.ping', e);
    }
  }

  /** Lets the handlers that run end, and still takes the wakes that they ask for. */
  close(): Promise<void> {
    this.closing ??= (async () => {
      await this.worker?.close();
      this.closed = true;
      for (const timer of this.retries) clearTimeout(timer);
      await this.queue.close();
    })();
    return this.closing;
  }
}

function unreachable(at: string, e: unknown): PortError {
  const text = e instanceof Error ? e.message : String(e);
  return new PortError('unreachable', at, `the queue cannot be reached: ${text}`, { cause: e });
}
