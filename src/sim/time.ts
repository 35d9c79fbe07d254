/** Time that passes only while `run` runs, from one timer to the next: what takes hours takes milliseconds, and the same each time. */
import { type Instant, instant } from '../domain/ids.ts';
import type { Clock, Scheduler } from '../ports.ts';

interface Timer {
  readonly at: number;
  /** Of two that are due at once the one that was asked for first comes first. */
  readonly nth: number;
  work: (() => void) | undefined;
}

export class VirtualTime implements Clock, Scheduler {
  #now: number;
  #asked = 0;
  readonly #heap: Timer[] = [];
  readonly #drain: () => Promise<void>;

  /** `drain` resolves when nothing is left to do but to wait for time: every promise that can settle has settled. */
  constructor(start: Instant, drain: () => Promise<void>) {
    this.#now = start;
    this.#drain = drain;
  }

  now(): Instant {
    return instant(this.#now);
  }

  after(ms: number, work: () => void): { cancel(): void } {
    // Whole milliseconds, as clocks tell them.
    const timer: Timer = { at: this.#now + Math.max(0, Math.round(ms)), nth: this.#asked++, work };
    this.#push(timer);
    return {
      cancel: () => {
        timer.work = undefined;
      },
    };
  }

  /** Until `until`, or until `over` holds (asked after each timer), or until nothing waits. True if `over` held. */
  async run(until: Instant, over: () => boolean = () => false): Promise<boolean> {
    await this.#drain();
    for (;;) {
      if (over()) return true;
      const next = this.#heap[0];
      if (next === undefined || next.at > until) break;
      this.#pop();
      if (next.work === undefined) continue;
      this.#now = Math.max(this.#now, next.at);
      next.work();
      await this.#drain();
    }
    this.#now = Math.max(this.#now, until);
    return over();
  }

  #push(timer: Timer): void {
    const heap = this.#heap;
    let i = heap.push(timer) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || !sooner(timer, above)) break;
      heap[i] = above;
      i = parent;
    }
    heap[i] = timer;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      const [left, right] = [heap[child], heap[child + 1]];
      if (left === undefined) break;
      let best = left;
      if (right !== undefined && sooner(right, left)) {
        best = right;
        child += 1;
      }
      if (!sooner(best, last)) break;
      heap[i] = best;
      i = child;
    }
    heap[i] = last;
  }
}

const sooner = (a: Timer, b: Timer): boolean => a.at < b.at || (a.at === b.at && a.nth < b.nth);
