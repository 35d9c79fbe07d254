import type { Mark } from '../domain/page.ts';
import type { AuditEvent, DeskPort, Scheduler } from '../ports.ts';

export type Listener = (event: AuditEvent) => void;

const everyMs = 1_000;
/** Of one reading; where there were more, the next comes at once. */
const atOnce = 500;

/**
 * The events of the store, told to all listeners of this process by one reading a second, and by none while nobody listens. Whoever
 * comes back with an old mark catches up with readings of his own. What another gateway did comes the same way.
 */
export class Feed {
  readonly #desk: DeskPort;
  readonly #scheduler: Scheduler;
  readonly #onError: (e: unknown) => void;
  /** Up to where each has heard. */
  readonly #listeners = new Map<Listener, Mark>();
  #at: Mark | undefined;
  #timer: { cancel(): void } | undefined;
  #reading = false;
  #closed = false;

  constructor(desk: DeskPort, scheduler: Scheduler, onError: (e: unknown) => void) {
    this.#desk = desk;
    this.#scheduler = scheduler;
    this.#onError = onError;
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  /** Where the newest event is. */
  async newest(): Promise<Mark> {
    return (await this.#desk.events(undefined, 1)).next;
  }

  /** Told of what comes behind `after`, which is not long ago: others wait while it is read again. Answers the way out. */
  join(after: Mark, listener: Listener): () => void {
    if (this.#listeners.size === 0 || this.#at === undefined || isBehind(after, this.#at)) this.#at = after;
    this.#listeners.set(listener, after);
    this.#soon(0);
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size > 0) return;
      this.#timer?.cancel();
      this.#timer = undefined;
    };
  }

  /** Reads on from an old mark until there is nothing more or `take` says no; answers the last mark. */
  async catchUp(after: Mark, take: (event: AuditEvent) => Promise<boolean>): Promise<Mark> {
    let at = after;
    for (;;) {
      const { rows, next } = await this.#desk.events(at, atOnce);
      for (const event of rows) if (!(await take(event))) return event.mark;
      at = next;
      if (rows.length < atOnce) return at;
    }
  }

  close(): void {
    this.#closed = true;
    this.#listeners.clear();
    this.#timer?.cancel();
  }

  #soon(ms: number): void {
    if (this.#closed || this.#reading || this.#listeners.size === 0) return;
    this.#timer?.cancel();
    this.#timer = this.#scheduler.after(ms, () => void this.#read());
  }

  async #read(): Promise<void> {
    if (this.#reading || this.#at === undefined) return;
    this.#reading = true;
    let more = false;
    const from = this.#at;
    // Whoever joins meanwhile may have heard less than what this reading begins with.
    const listeners = [...this.#listeners.keys()];
    try {
      const { rows, next } = await this.#desk.events(from, atOnce);
      for (const event of rows) for (const listener of listeners) this.#tell(listener, event);
      more = rows.length === atOnce || this.#at !== from;
      if (this.#at === from) this.#at = next;
    } catch (e) {
      this.#onError(e);
    } finally {
      this.#reading = false;
      this.#soon(more ? 0 : everyMs);
    }
  }

  #tell(listener: Listener, event: AuditEvent): void {
    const heard = this.#listeners.get(listener);
    if (heard === undefined || !isBehind(heard, event.mark)) return;
    this.#listeners.set(listener, event.mark);
    listener(event);
  }
}

/** Whether `b` comes after `a`; transaction numbers have more digits than a number holds. */
export function isBehind(a: Mark, b: Mark): boolean {
  const [ax, bx] = [BigInt(a[0] ?? 0), BigInt(b[0] ?? 0)];
  return bx > ax || (bx === ax && Number(b[1]) > Number(a[1]));
}
