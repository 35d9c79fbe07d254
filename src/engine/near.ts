import { retryAfterMs, Turns } from '../domain/turns.ts';
import type { Scheduler, WakeId, WakePort } from '../ports.ts';

/** Handlers at a time of wakes that stayed here: most of a step is waiting for a far side. */
const atOnce = 64;

export interface NearOptions {
  /** The queue between gateways. */
  readonly far: WakePort;
  readonly scheduler: Scheduler;
  /** Whether what is woken here is stepped here. */
  readonly near: () => boolean;
  /** A handler threw; its id is woken again. */
  readonly onError: (id: WakeId, e: unknown) => void;
}

/**
 * Wakes of a gateway that leads stay in its own memory: it steps them itself, and whoever leads after it sweeps as it begins. The queue
 * carries those of one that does not lead.
 */
export class NearWake implements WakePort {
  readonly #options: NearOptions;
  readonly #turns = new Turns<WakeId>();
  readonly #failures = new Map<WakeId, number>();
  readonly #active = new Set<Promise<void>>();
  /** The soonest delayed wake of each id. */
  readonly #later = new Map<WakeId, { readonly due: number; cancel(): void }>();
  /** Those whose time has come and that wait for a free handler; `#order` from `#first` on has them in order. */
  readonly #ready = new Set<WakeId>();
  #order: WakeId[] = [];
  #first = 0;
  #newestNext = false;
  #begins = false;
  #handler: ((id: WakeId) => Promise<void>) | undefined;
  #elapsed: () => number;
  #closed = false;

  /** `elapsed`: milliseconds that only go forward. */
  constructor(options: NearOptions, elapsed: () => number) {
    this.#options = options;
    this.#elapsed = elapsed;
  }

  async wake(id: WakeId, afterMs = 0): Promise<void> {
    if (this.#closed) return;
    if (this.#handler === undefined || !this.#options.near()) return this.#options.far.wake(id, afterMs);
    if (afterMs > 0) this.#delay(id, afterMs);
    else this.#soon(id);
  }

  #delay(id: WakeId, ms: number): void {
    const due = this.#elapsed() + ms;
    const waits = this.#later.get(id);
    if (waits !== undefined && waits.due <= due) return;
    waits?.cancel();
    const { cancel } = this.#options.scheduler.after(ms, () => {
      this.#later.delete(id);
      this.#soon(id);
    });
    this.#later.set(id, { due, cancel });
  }

  #soon(id: WakeId): void {
    if (this.#closed || this.#ready.has(id) || this.#turns.again(id)) return;
    this.#ready.add(id);
    this.#order.push(id);
    if (this.#begins || this.#active.size >= atOnce) return;
    this.#begins = true;
    this.#options.scheduler.after(0, () => {
      this.#begins = false;
      this.#begin();
    });
  }

  #begin(): void {
    while (!this.#closed && this.#ready.size > 0 && this.#active.size < atOnce) this.#run(this.#next());
  }

  /** Every other one is the newest: an event is not kept waiting by the ten thousand of a sweep, and those still get through. */
  #next(): WakeId {
    this.#newestNext = !this.#newestNext;
    const id = (this.#newestNext ? this.#order[this.#first++] : this.#order.pop()) as WakeId;
    if (this.#first > 1_000 && this.#first * 2 > this.#order.length) {
      this.#order = this.#order.slice(this.#first);
      this.#first = 0;
    }
    this.#ready.delete(id);
    return id;
  }

  #run(id: WakeId): void {
    const handler = this.#handler;
    if (handler === undefined) return;
    const turn = this.#turns
      .run(id, handler)
      .then(
        () => void this.#failures.delete(id),
        (e: unknown) => {
          this.#options.onError(id, e);
          const failures = (this.#failures.get(id) ?? 0) + 1;
          this.#failures.set(id, failures);
          return this.wake(id, retryAfterMs(failures));
        },
      )
      .catch((e: unknown) => this.#options.onError(id, e))
      .finally(() => {
        this.#active.delete(turn);
        this.#begin();
      });
    this.#active.add(turn);
  }

  async start(handler: (id: WakeId) => Promise<void>): Promise<void> {
    await this.#options.far.start((id) => this.#turns.run(id, handler));
    this.#handler = handler;
  }

  ping(): Promise<void> {
    return this.#options.far.ping();
  }

  /** What waits here is dropped: whoever leads next sweeps. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const wait of this.#later.values()) wait.cancel();
    this.#later.clear();
    await Promise.all(this.#active);
    await this.#options.far.close();
  }
}
