import { PortError } from '../../domain/fault.ts';
import { retryAfterMs, Turns, Waiting } from '../../domain/turns.ts';
import type { Clock, Scheduler, WakeId, WakePort } from '../../ports.ts';

export interface MemWakeOptions {
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  readonly onError: (what: string, e: unknown) => void;
}

/** Wakes in memory, on a given scheduler: nothing survives `close`, as if the queue had been lost. */
export class MemWake implements WakePort {
  private readonly options: MemWakeOptions;
  private readonly turns = new Turns<WakeId>();
  private readonly waiting = new Waiting<WakeId>(Number.POSITIVE_INFINITY);
  private readonly failures = new Map<WakeId, number>();
  private readonly timers = new Set<{ cancel(): void }>();
  private readonly active = new Set<Promise<void>>();
  /** Woken before there was a handler. */
  private readonly early = new Set<WakeId>();
  private handler: ((id: WakeId) => Promise<void>) | undefined;
  private closed = false;

  constructor(options: MemWakeOptions) {
    this.options = options;
  }

  async wake(id: WakeId, afterMs = 0): Promise<void> {
    if (this.closed || (afterMs <= 0 && this.turns.again(id))) return;
    const now = this.options.clock.now();
    if (!this.waiting.add(id, now, Math.max(0, afterMs))) return;
    const due = now + Math.max(0, afterMs);
    const timer = this.options.scheduler.after(Math.max(0, afterMs), () => {
      this.timers.delete(timer);
      this.waiting.remove(id, due);
      if (this.handler === undefined) this.early.add(id);
      else this.run(id, this.handler);
    });
    this.timers.add(timer);
  }

  private run(id: WakeId, handler: (id: WakeId) => Promise<void>): void {
    const turn = this.turns.run(id, handler).then(
      () => {
        this.failures.delete(id);
      },
      (e: unknown) => {
        this.options.onError(`${id} failed and is woken again later`, e);
        const failures = (this.failures.get(id) ?? 0) + 1;
        this.failures.set(id, failures);
        return this.wake(id, retryAfterMs(failures));
      },
    );
    this.active.add(turn);
    void turn.finally(() => this.active.delete(turn));
  }

  async start(handler: (id: WakeId) => Promise<void>): Promise<void> {
    if (this.handler !== undefined) throw new PortError('invalid', 'wake.start', 'started already');
    this.handler = handler;
    for (const id of this.early) this.run(id, handler);
    this.early.clear();
  }

  async ping(): Promise<void> {}

  async close(): Promise<void> {
    this.closed = true;
    for (const timer of this.timers) timer.cancel();
    this.timers.clear();
    await Promise.all(this.active);
  }
}
