/**
 * How long a job runs of what it asked for, from jobs that have ended. Each level, from coarse to fine, tells what the one before it does not
 * know: all jobs → those of one request class → the user's → those of them with this request → and this size. A fine level with few jobs is
 * drawn to the coarser one; in each, older jobs fade.
 */

export interface PredictJob {
  readonly user: string;
  readonly requestMs: number;
  readonly processors: number;
}

/** What share of its request a job runs for, as a distribution over the bins of `ratioEdges`. */
export interface RatioForecast {
  /** The expected share of the request, 0 to 1. */
  readonly mean: number;
  /** For each bin, how likely; they sum to 1. */
  readonly weights: Float64Array;
}

/** Bins are fine where jobs end: at once, or at their limit. Of each bin the lower edge; the last is the limit itself. */
export const ratioEdges: readonly number[] = [
  0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9,
  0.97, 1,
];
export const bins = ratioEdges.length;
const upper = (bin: number): number => ratioEdges[bin + 1] ?? 1;

/** A newcomer's level counts for as many jobs of the coarser one; and by how much each job more fades those before it. */
interface Level {
  readonly prior: number;
  readonly keep: number;
}

/** From coarse to fine. The last few jobs of the same kind say most, a site's whole history says what a newcomer's will do. */
const levels: readonly Level[] = [
  { prior: 1, keep: 0.9995 },
  { prior: 20, keep: 0.999 },
  { prior: 10, keep: 0.98 },
  { prior: 5, keep: 0.9 },
  { prior: 5, keep: 0.9 },
];

/** How many jobs (faded), the sum of their ratios, then how many in each bin. */
const cells = 2 + bins;

export class Predictor {
  readonly #seen: readonly Map<string, Float64Array>[] = levels.map(() => new Map());
  readonly #known = new Map<string, readonly string[]>();
  #learned = 0;

  /** How many jobs it has learned from. */
  get learned(): number {
    return this.#learned;
  }

  /** A job that has ended after `runMs`. */
  learn(job: PredictJob, runMs: number): void {
    if (!(job.requestMs > 0) || !(runMs >= 0)) return;
    const ratio = Math.min(1, runMs / job.requestMs);
    const bin = binOf(ratio);
    const keys = this.#keysOf(job);
    for (let l = 0; l < levels.length; l++) {
      const { keep } = levels[l] as Level;
      const seen = this.#seen[l] as Map<string, Float64Array>;
      const key = keys[l] as string;
      let cell = seen.get(key);
      if (cell === undefined) {
        cell = new Float64Array(cells);
        seen.set(key, cell);
      }
      for (let i = 0; i < cells; i++) cell[i] = (cell[i] as number) * keep;
      cell[0] = (cell[0] as number) + 1;
      cell[1] = (cell[1] as number) + ratio;
      cell[2 + bin] = (cell[2 + bin] as number) + 1;
    }
    this.#learned += 1;
  }

  /** The expected run time in milliseconds; without any history, the whole request. */
  expectedMs(job: PredictJob): number {
    const keys = this.#keysOf(job);
    let mean = 1;
    for (let l = 0; l < levels.length; l++) {
      const cell = (this.#seen[l] as Map<string, Float64Array>).get(keys[l] as string);
      // What a coarser level has not seen, no finer one has.
      if (cell === undefined) break;
      const { prior } = levels[l] as Level;
      mean = ((cell[1] as number) + prior * mean) / ((cell[0] as number) + prior);
    }
    return mean * job.requestMs;
  }

  predict(job: PredictJob): RatioForecast {
    const keys = this.#keysOf(job);
    const weights = new Float64Array(bins);
    // Without any history: it runs to its limit.
    weights[bins - 1] = 1;
    let mean = 1;
    for (let l = 0; l < levels.length; l++) {
      const cell = (this.#seen[l] as Map<string, Float64Array>).get(keys[l] as string);
      if (cell === undefined) break;
      const { prior } = levels[l] as Level;
      const all = (cell[0] as number) + prior;
      mean = ((cell[1] as number) + prior * mean) / all;
      for (let b = 0; b < bins; b++)
        weights[b] = ((cell[2 + b] as number) + prior * (weights[b] as number)) / all;
    }
    return { mean, weights };
  }

  #keysOf(job: PredictJob): readonly string[] {
    const name = `${job.user}|${job.requestMs}|${job.processors}`;
    let keys = this.#known.get(name);
    if (keys === undefined) {
      const request = `${job.user}|${job.requestMs}`;
      keys = [
        '',
        classOf(job.requestMs),
        job.user,
        request,
        `${request}|${Math.ceil(Math.log2(job.processors))}`,
      ];
      // Only a memo: what it forgets is made again.
      if (this.#known.size >= 100_000) this.#known.clear();
      this.#known.set(name, keys);
    }
    return keys;
  }
}

/** Requests within a factor of two are of one class. */
const classOf = (requestMs: number): string => String(Math.round(Math.log2(Math.max(1, requestMs / 60_000))));

function binOf(ratio: number): number {
  let bin = bins - 1;
  while (bin > 0 && ratio < (ratioEdges[bin] as number)) bin -= 1;
  return bin;
}

/** The share of the request that it runs for at least so likely: `shareAt(f, 0.9)` holds for nine jobs in ten. */
export function shareAt(forecast: RatioForecast, p: number): number {
  let below = 0;
  for (let b = 0; b < bins; b++) {
    const weight = forecast.weights[b] as number;
    if (weight > 0 && below + weight >= p) {
      const from = ratioEdges[b] as number;
      return from + ((p - below) / weight) * (upper(b) - from);
    }
    below += weight;
  }
  return 1;
}

/**
 * The distribution of the share of the request, knowing that it has run for the share `age` and goes on. Beyond all that was seen, it runs
 * to its limit.
 */
export function given(forecast: RatioForecast, age: number): RatioForecast {
  if (age <= 0) return forecast;
  if (age > 1) return given(forecast, 1);
  const weights = new Float64Array(bins);
  let all = 0;
  let sum = 0;
  for (let b = 0; b < bins; b++) {
    const from = ratioEdges[b] as number;
    const to = upper(b);
    const left = age <= from ? 1 : to > age ? (to - age) / (to - from) : 0;
    const weight = (forecast.weights[b] as number) * left;
    weights[b] = weight;
    all += weight;
    sum += (weight * (Math.max(from, age) + to)) / 2;
  }
  if (!(all > 1e-9)) {
    weights.fill(0);
    weights[bins - 1] = 1;
    return { mean: 1, weights };
  }
  for (let b = 0; b < bins; b++) weights[b] = (weights[b] as number) / all;
  return { mean: Math.max(age, sum / all), weights };
}

/** How much longer a running job is expected to run, in milliseconds; never beyond its limit. */
export function remainingMs(forecast: RatioForecast, requestMs: number, ageMs: number): number {
  if (!(requestMs > ageMs)) return 0;
  return Math.max(0, (given(forecast, ageMs / requestMs).mean - ageMs / requestMs) * requestMs);
}
