/** Chance from a seed: the same seed, the same run. */
import { draws } from '../domain/draws.ts';
import { type Uuid, uuid } from '../domain/ids.ts';
import type { Entropy } from '../ports.ts';

/** Enough for choices and names, not for secrets. */
export class Chance implements Entropy {
  readonly #next: () => number;

  constructor(seed: number) {
    this.#next = draws(seed);
  }

  random(): number {
    return this.#next() / 2 ** 32;
  }

  /** A whole number from `least` to `most`, both included. */
  whole(least: number, most: number): number {
    return least + Math.floor(this.random() * (most - least + 1));
  }

  /** True so often, of one. */
  hit(probability: number): boolean {
    return this.random() < probability;
  }

  pick<T>(of: readonly T[]): T {
    const one = of[this.whole(0, of.length - 1)];
    if (one === undefined) throw new Error('nothing to pick from');
    return one;
  }

  bytes(n: number): Uint8Array {
    return Uint8Array.from({ length: n }, () => this.#next() & 0xff);
  }

  uuid(): Uuid {
    const hex = [...this.bytes(16)].map((b) => b.toString(16).padStart(2, '0')).join('');
    return uuid(
      `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20)}`,
    );
  }

  /** A chance of its own for one part, so that what one part draws does not move another's. */
  fork(): Chance {
    return new Chance(this.#next());
  }
}
