/**
 * A site's forecasts, held against what came of them. Each error is measured in the forecast's own spread and on a logarithmic scale; the newest of
 * like forecasts tell where, in that measure, the tenth, the half and nine tenths of the truth lie (split conformal prediction, Papadopoulos 2002;
 * Romano, Patterson and Candès 2019). The level asked for is steered by how often it held lately, so that drift is followed (Gibbs and Candès 2021).
 */
import type { StartRange } from '../domain/forecast.ts';
import { quantile } from './forecast.ts';

/** Errors below a minute count for little. */
const smallMs = 60_000;
const narrowest = 0.25;
/** So many of the newest errors of a class. */
const kept = 400;
/** Fewer tell nothing yet: the forecast stands as it is. */
const fewest = 30;
const steer = 0.02;

/** Like forecasts: by the median, up to 10 minutes, 1 h, 4 h, 24 h, and beyond. */
const bounds = [10 * 60_000, 3_600_000, 4 * 3_600_000, 24 * 3_600_000];
const levels = [0.1, 0.5, 0.9] as const;

interface Class {
  readonly scores: number[];
  /** Where the next one goes. */
  at: number;
  sorted: Float64Array | undefined;
  /** What is asked for to get each of the levels. */
  readonly asked: [number, number, number];
}

const log = (ms: number): number => Math.log(Math.max(0, ms) + smallMs);

export class Calibration {
  readonly #classes: Class[] = Array.from({ length: bounds.length + 1 }, () => ({
    scores: [],
    at: 0,
    sorted: undefined,
    asked: [...levels],
  }));

  /** What this site's starts are like where the forecast says `raw`. */
  correct(raw: StartRange): StartRange {
    const like = this.#classOf(raw);
    if (like === undefined || like.scores.length < fewest) return raw;
    like.sorted ??= Float64Array.from(like.scores).sort();
    const sorted = like.sorted;
    const at = (i: 0 | 1 | 2): number => {
      const score = quantile(sorted, Math.min(1, Math.max(0, like.asked[i])));
      return Math.max(0, Math.exp(log(raw.p50) + score * spreadOf(raw, score)) - smallMs);
    };
    const [p10, p50, p90] = [at(0), at(1), at(2)];
    return { p10: Math.min(p10, p50), p50, p90: Math.max(p50, p90) };
  }

  /** The job that was forecast so started after `actualMs`; to be told once of each forecast, in the order of the starts. */
  learn(raw: StartRange, actualMs: number): void {
    const like = this.#classOf(raw);
    if (like === undefined) return;
    const said = this.correct(raw);
    const told = [said.p10, said.p50, said.p90];
    if (like.scores.length >= fewest)
      for (const [i, level] of levels.entries()) {
        const held = actualMs <= (told[i] as number) ? 1 : 0;
        like.asked[i] = Math.min(1, Math.max(0, (like.asked[i] as number) + steer * (level - held)));
      }
    const error = log(actualMs) - log(raw.p50);
    like.scores[like.at] = error / spreadOf(raw, error);
    like.at = (like.at + 1) % kept;
    like.sorted = undefined;
  }

  #classOf(raw: StartRange): Class | undefined {
    if (!Number.isFinite(raw.p50)) return undefined;
    const at = bounds.findIndex((bound) => raw.p50 <= bound);
    return this.#classes[at < 0 ? bounds.length : at];
  }
}

/** How wide the forecast is on the side of the error. */
function spreadOf(raw: StartRange, error: number): number {
  const width = error < 0 ? log(raw.p50) - log(raw.p10) : log(Math.min(raw.p90, 1e15)) - log(raw.p50);
  return Math.max(narrowest, width);
}
