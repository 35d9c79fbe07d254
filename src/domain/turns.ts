/**
 * One at a time for each id: what is asked for while a turn runs leads to one more turn right after it, however often it was
 * asked for.
 */
export class Turns<Id extends string> {
  private readonly running = new Map<Id, { again: boolean }>();

  /** Asks a running turn to be followed by one more; false if none runs. */
  again(id: Id): boolean {
    const turn = this.running.get(id);
    if (turn !== undefined) turn.again = true;
    return turn !== undefined;
  }

  /** Takes turns until nobody asked for one more; returns at once if one runs already. A throw ends it, and is the caller's. */
  async run(id: Id, work: (id: Id) => Promise<void>): Promise<void> {
    if (this.again(id)) return;
    const turn = { again: false };
    this.running.set(id, turn);
    try {
      do {
        turn.again = false;
        await work(id);
      } while (turn.again);
    } finally {
      this.running.delete(id);
    }
  }

  get size(): number {
    return this.running.size;
  }
}

/**
 * Which wakes wait, so that another is merged into one that comes no later: for each id the soonest immediate and the soonest
 * delayed one. One that is overdue was lost on its way, and no longer counts.
 */
export class Waiting<Id extends string> {
  private readonly soon = new Map<Id, number>();
  private readonly later = new Map<Id, number>();
  private readonly patience: number;

  /** `patience`: how long after its time, in milliseconds, a wake is still believed to be on its way. */
  constructor(patience: number) {
    this.patience = patience;
  }

  /** True if the wake is new and must be carried; false if it was merged. */
  add(id: Id, now: number, afterMs: number): boolean {
    const due = now + afterMs;
    for (const kind of [this.soon, this.later]) {
      const waits = kind.get(id);
      if (waits !== undefined && waits <= due && waits + this.patience > now) return false;
    }
    (afterMs > 0 ? this.later : this.soon).set(id, due);
    return true;
  }

  /** It arrived, or could not be sent. */
  remove(id: Id, due: number): void {
    for (const kind of [this.soon, this.later]) if (kind.get(id) === due) kind.delete(id);
  }
}

/** How long after its n-th failure in a row an id is woken again, in milliseconds. */
export function retryAfterMs(failures: number): number {
  return Math.min(60_000, 1_000 * 2 ** Math.min(failures - 1, 10));
}
