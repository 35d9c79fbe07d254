import { PortError } from '../../src/domain/fault.ts';
import { retryAfterMs, Turns, Waiting } from '../../src/domain/turns.ts';
import type { WakeId, WakePort } from '../../src/ports.ts';
import type { Backend, Incoming, Outgoing, Wake } from './backend.ts';
import { postgresBackend } from './postgres.ts';
import { redisBackend } from './redis.ts';

export interface BullWakeOptions {
  /** `postgres://…` or `redis://…` */
  readonly url: string;
  /** What goes wrong where nobody waits for it. */
  readonly onError: (what: string, e: unknown) => void;
  /** Handlers at a time. */
  readonly concurrency?: number;
  readonly queue?: string;
  /** Of the keys in Redis. */
  readonly prefix?: string;
  /** A wake whose gateway was killed comes again after this, and at most three times of it. */
  readonly lockMs?: number;
}

/** A wake that has not come this long after its time was lost. */
const patienceMs = 2_000;
/** How long what BullMQ still has to say to its backend may take at the end. */
const farewellMs = 3_000;

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

function backendOf({ url, queue = 'wake', prefix = 'spillway' }: BullWakeOptions): Backend {
  return /^rediss?:/.test(url) ? redisBackend(url, queue, prefix) : postgresBackend(url, queue);
}

/**
 * BullMQ carries wakes between gateways and over restarts, on Postgres or on Redis. It tells jobs apart by id only while they wait, so
 * merging is done here.
 */
class BullWake implements WakePort {
  private readonly options: BullWakeOptions;
  private readonly backend: Backend;
  private readonly queue: Outgoing;
  private readonly turns = new Turns<WakeId>();
  private readonly waiting = new Waiting<WakeId>(patienceMs);
  private readonly failures = new Map<WakeId, number>();
  private readonly retries = new Set<NodeJS.Timeout>();
  private readonly active = new Set<Promise<void>>();
  private worker: Incoming | undefined;
  private closing: Promise<void> | undefined;
  private closed = false;

  constructor(options: BullWakeOptions) {
    this.options = options;
    this.backend = backendOf(options);
    this.queue = this.backend.queue((e) => options.onError('queue', e));
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
    const { concurrency = 16, lockMs = 15_000, onError } = this.options;
    const worker = this.backend.worker(
      (wake) => this.tracked(this.arrived(wake, handler)),
      concurrency,
      {
        removeOnComplete: { count: 0 },
        removeOnFail: { count: 0 },
        // A gateway that was killed leaves its wakes active; they come again when their lock has run out.
        maxStalledCount: 1_000_000,
        lockDuration: lockMs,
        stalledInterval: lockMs,
        runRetryDelay: 500,
      },
      (e) => onError('queue', e),
    );
    this.worker = worker;
    await worker.waitUntilReady();
  }

  private tracked(turn: Promise<void>): Promise<void> {
    this.active.add(turn);
    return turn.finally(() => this.active.delete(turn));
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

  /** Lets the handlers that run end, and still takes the wakes that they ask for. Ends though the backend is away. */
  close(): Promise<void> {
    this.closing ??= (async () => {
      const stopped = this.worker?.close();
      do {
        await Promise.allSettled(this.active);
        await within(farewellMs, stopped);
      } while (this.active.size > 0);
      this.closed = true;
      for (const timer of this.retries) clearTimeout(timer);
      await within(farewellMs, this.queue.close());
      this.backend.cut();
    })();
    return this.closing;
  }
}

/** Waits so long at most; what comes of it later is nobody's any more. */
async function within(ms: number, work: Promise<unknown> | undefined): Promise<void> {
  if (work === undefined) return;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([work.catch(() => undefined), late]);
  clearTimeout(timer);
}

function unreachable(at: string, e: unknown): PortError {
  const text = e instanceof Error ? e.message : String(e);
  return new PortError('unreachable', at, `the queue cannot be reached: ${text}`, { cause: e });
}
