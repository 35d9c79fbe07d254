/** A site's history, read from slurmdbd a day at a time, oldest first, and then as it grows. */
import type { Foresight } from '../decide/foresight.ts';
import { type Instant, instant } from '../domain/ids.ts';
import type { SlurmPort } from '../ports.ts';

const dayMs = 86_400_000;
/** slurmdbd hears of an end some seconds late, and of one that it missed not at all. */
export const historyLagMs = 60_000;
/** Between two looks at what has ended since. */
export const historyEveryMs = 2 * 60_000;

export class HistoryReader {
  readonly #slurm: Pick<SlurmPort, 'history'>;
  readonly #foresight: Pick<Foresight, 'learn'>;
  readonly #reachMs: number;
  #until: Instant | undefined;

  /** `reachMs`: how far back it looks at first. */
  constructor(slurm: Pick<SlurmPort, 'history'>, foresight: Pick<Foresight, 'learn'>, reachMs: number) {
    this.#slurm = slurm;
    this.#foresight = foresight;
    this.#reachMs = reachMs;
  }

  /** Reads the next day, or what there is of it; whether there is more to read. Each run is learned once: what fails is asked for again. */
  async read(now: Instant): Promise<boolean> {
    const end = now - historyLagMs;
    const from = this.#until ?? instant(Math.max(0, end - this.#reachMs));
    // Nothing yet, or a clock that was set back.
    if (end <= from) return false;
    const to = instant(Math.min(end, from + dayMs));
    const { runs } = await this.#slurm.history(from, to);
    this.#foresight.learn(runs);
    this.#until = to;
    return to < end;
  }
}
