/** A token bucket for each caller: so many requests at once, and so many a second in the long run. Each process counts its own. */
export interface Rate {
  readonly perSecond: number;
  readonly atOnce: number;
}

interface Bucket {
  left: number;
  at: number;
}

/** Beyond so many callers those that are full again are forgotten. */
const most = 10_000;

export class Buckets {
  readonly #rate: Rate;
  readonly #now: () => number;
  readonly #buckets = new Map<string, Bucket>();

  /** `now` in ms. */
  constructor(rate: Rate, now: () => number) {
    this.#rate = rate;
    this.#now = now;
  }

  /** Takes one; answers 0, or after how many seconds there will be one. */
  take(who: string): number {
    const bucket = this.#filled(who);
    if (bucket.left < 1) return Math.max(1, Math.ceil((1 - bucket.left) / this.#rate.perSecond));
    bucket.left -= 1;
    return 0;
  }

  /** One that was taken for what then could not be done. */
  back(who: string): void {
    const bucket = this.#filled(who);
    bucket.left = Math.min(this.#rate.atOnce, bucket.left + 1);
  }

  /** As `take`, without taking. */
  wait(who: string): number {
    const { left } = this.#filled(who);
    return left >= 1 ? 0 : Math.max(1, Math.ceil((1 - left) / this.#rate.perSecond));
  }

  left(who: string): number {
    return Math.floor(this.#filled(who).left);
  }

  #filled(who: string): Bucket {
    const { perSecond, atOnce } = this.#rate;
    const now = this.#now();
    const known = this.#buckets.get(who);
    if (known === undefined) {
      if (this.#buckets.size >= most) this.#forget(now);
      const fresh = { left: atOnce, at: now };
      this.#buckets.set(who, fresh);
      return fresh;
    }
    known.left = Math.min(atOnce, known.left + (Math.max(0, now - known.at) / 1000) * perSecond);
    known.at = now;
    return known;
  }

  #forget(now: number): void {
    const { perSecond, atOnce } = this.#rate;
    for (const [who, b] of this.#buckets)
      if (b.left + ((now - b.at) / 1000) * perSecond >= atOnce) this.#buckets.delete(who);
  }
}
