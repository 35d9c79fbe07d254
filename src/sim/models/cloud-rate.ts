/** A token bucket under a given clock: full at first, refilled steadily. */
import type { Clock } from '../../ports.ts';
import type { Rate } from './cloud-types.ts';

export class Bucket {
  readonly #rate: Rate;
  readonly #clock: Clock;
  #level: number;
  #at: number;

  constructor(rate: Rate, clock: Clock) {
    this.#rate = rate;
    this.#clock = clock;
    this.#level = rate.burst;
    this.#at = clock.now();
  }

  take(): boolean {
    const now = this.#clock.now();
    this.#level = Math.min(this.#rate.burst, this.#level + ((now - this.#at) / 1000) * this.#rate.perSecond);
    this.#at = now;
    if (this.#level < 1) return false;
    this.#level -= 1;
    return true;
  }
}
