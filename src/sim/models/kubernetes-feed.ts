/** The way from the store's changes to those who watch: in order, never in the middle of a change, late or broken when told. */
import type { Change, ObjectStore } from './kubernetes-store.ts';
import type { Pace } from './kubernetes-types.ts';

export interface Follower {
  take(change: Change): void;
  /** The stream was cut: nothing more comes. */
  broken(): void;
}

export interface Following {
  /** Everything up to this version was taken. */
  readonly version: number;
  close(): void;
}

interface Open extends Following {
  push(change: Change): void;
  cut(): void;
}

export class Feed {
  readonly #store: ObjectStore;
  readonly #pace: Pace;
  readonly #lag: () => number;
  readonly #open = new Set<Open>();

  /** `lag` is asked for each change: how long it takes to arrive. */
  constructor(store: ObjectStore, pace: Pace, lag: () => number) {
    this.#store = store;
    this.#pace = pace;
    this.#lag = lag;
    store.listen((change) => {
      for (const one of this.#open) one.push(change);
    });
  }

  /** Every change after `version`. Throws 410 when they are not remembered. */
  follow(version: number, follower: Follower): Following {
    const missed = this.#store.since(version);
    const waiting: { readonly change: Change; readonly due: number }[] = [];
    let taken = version;
    let over = false;
    let asked = false;
    let last = 0;

    const give = (): void => {
      asked = false;
      const now = this.#pace.now();
      for (let next = waiting[0]; !over && next !== undefined && next.due <= now; next = waiting[0]) {
        waiting.shift();
        taken = next.change.version;
        follower.take(next.change);
      }
      ask();
    };
    const ask = (): void => {
      const next = waiting[0];
      if (asked || over || next === undefined) return;
      asked = true;
      // Whole milliseconds: a remainder of a rounding error would be waited for without end.
      const wait = Math.ceil(next.due - this.#pace.now());
      if (wait <= 0) queueMicrotask(give);
      else this.#pace.after([wait, wait], give);
    };
    const one: Open = {
      get version() {
        return taken;
      },
      push: (change) => {
        last = Math.max(last, this.#pace.now() + this.#lag());
        waiting.push({ change, due: last });
        ask();
      },
      cut: () => {
        if (over) return;
        one.close();
        queueMicrotask(() => follower.broken());
      },
      close: () => {
        over = true;
        this.#open.delete(one);
      },
    };
    this.#open.add(one);
    for (const change of missed) one.push(change);
    return one;
  }

  /** Cuts every open stream, once. */
  cut(): void {
    for (const one of [...this.#open]) one.cut();
  }
}
