/** What a run is judged by. */
import { quantile } from '../../decide/forecast.ts';
import type { MicroUsd } from '../../domain/money.ts';
import type { Played, Site } from './play.ts';
import type { Columns } from './policy.ts';
import { type CloudRun, coreCostOf } from './spot.ts';

/** What the cloud is paid by; a processor is a core. */
export interface Bill {
  readonly microUsdPerCoreHour: MicroUsd;
  /** Cores of one instance. No instance serves two jobs. */
  readonly instanceCores: number;
}

export const usualBill: Bill = { microUsdPerCoreHour: 48_000, instanceCores: 16 };

export interface Spread {
  readonly mean: number;
  readonly p50: number;
  readonly p95: number;
}

export interface Figures {
  readonly jobs: number;
  readonly bursts: number;
  readonly waitMs: Spread;
  /** (wait + run) / max(run, 10 s), at least 1 (Feitelson et al. 1997). */
  readonly slowdown: Spread;
  /** Of all core-hours that ran, those that ran in the cloud; its boots are in the bill, not here. */
  readonly cloudShare: number;
  /** From each burst to the end of its job, boot included, by the cores that the job asked for. */
  readonly microUsd: MicroUsd;
  /** Of the bursts those that went on spot, and how often something of them was taken back and run again. */
  readonly spotBursts: number;
  readonly restarts: number;
  readonly peakCloudCores: number;
  readonly peakInstances: number;
  /** Jain's index over the mean bounded slowdown of each: 1 is the same for all, 1/n all the slowness on one of n. */
  readonly fairness: {
    readonly index: number;
    readonly between: 'accounts' | 'users';
    readonly count: number;
  };
}

const tauMs = 10_000;

export function slowdownOf(waitMs: number, runMs: number): number {
  return Math.max(1, (waitMs + runMs) / Math.max(runMs, tauMs));
}

export function figuresOf(trace: Columns, played: Played, site: Site, bill: Bill = usualBill): Figures {
  const count = trace.jobs.length;
  const slowdown = new Float64Array(count);
  let [bursts, here, cloud, microUsd, restarts] = [0, 0, 0, 0, 0];
  for (let i = 0; i < count; i++) {
    const run = trace.runMs[i] as number;
    const cores = trace.processors[i] as number;
    slowdown[i] = slowdownOf(played.waitMs[i] as number, run);
    if (Number.isNaN(played.burstMs[i] as number)) here += run * cores;
    else {
      bursts += 1;
      cloud += run * cores;
      const runs = cloudRunsOf(i, trace, played, site);
      restarts += runs.length - 1;
      const perCore = runs.reduce(
        (sum, one) => sum + coreCostOf(one, bill.microUsdPerCoreHour, site.cloud.spot),
        0,
      );
      microUsd += Math.round(cores * perCore);
    }
  }
  return {
    jobs: count,
    bursts,
    waitMs: spreadOf(played.waitMs),
    slowdown: spreadOf(slowdown),
    cloudShare: here + cloud > 0 ? cloud / (here + cloud) : 0,
    microUsd,
    ...{ spotBursts: played.spotRuns.size, restarts },
    peakCloudCores: peakOf(trace, played, site, (cores) => cores),
    peakInstances: peakOf(trace, played, site, (cores) => Math.ceil(cores / bill.instanceCores)),
    fairness: fairnessOf(trace, slowdown),
  };
}

/** On demand it is one. */
function cloudRunsOf(job: number, trace: Columns, played: Played, site: Site): readonly CloudRun[] {
  const spot = played.spotRuns.get(job);
  if (spot !== undefined) return spot;
  const bookedMs = played.burstMs[job] as number;
  const fromMs = bookedMs + site.cloud.bootMs;
  return [{ bookedMs, fromMs, toMs: fromMs + (trace.runMs[job] as number), spot: false, lost: false }];
}

export function spreadOf(values: Float64Array): Spread {
  if (values.length === 0) return { mean: 0, p50: 0, p95: 0 };
  const sorted = values.slice().sort();
  let sum = 0;
  for (const v of sorted) sum += v;
  return { mean: sum / values.length, p50: quantile(sorted, 0.5), p95: quantile(sorted, 0.95) };
}

function peakOf(trace: Columns, played: Played, site: Site, size: (cores: number) => number): number {
  const changes: [at: number, by: number][] = [];
  for (let i = 0; i < trace.jobs.length; i++) {
    const from = played.burstMs[i] as number;
    if (Number.isNaN(from)) continue;
    const by = size(trace.processors[i] as number);
    const until = cloudRunsOf(i, trace, played, site).at(-1)?.toMs ?? from;
    changes.push([from, by], [until, -by]);
  }
  // Who ends in the moment that another begins has given its room back.
  changes.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  let [now, peak] = [0, 0];
  for (const [, by] of changes) {
    now += by;
    peak = Math.max(peak, now);
  }
  return peak;
}

/** Between accounts; a trace that knows of one only is judged between its users. */
function fairnessOf(trace: Columns, slowdown: Float64Array): Figures['fairness'] {
  const accounts = meansBy(trace, slowdown, 'account');
  const between = accounts.length > 1 ? 'accounts' : 'users';
  const means = between === 'accounts' ? accounts : meansBy(trace, slowdown, 'user');
  return { index: jain(means), between, count: means.length };
}

function meansBy(trace: Columns, slowdown: Float64Array, by: 'account' | 'user'): readonly number[] {
  const sums = new Map<string, { sum: number; count: number }>();
  trace.jobs.forEach((job, i) => {
    const one = sums.get(job[by]) ?? { sum: 0, count: 0 };
    one.sum += slowdown[i] as number;
    one.count += 1;
    sums.set(job[by], one);
  });
  return [...sums.values()].map(({ sum, count }) => sum / count);
}

/** Jain, Chiu and Hawe 1984: the square of the sum over n times the sum of squares. */
export function jain(values: readonly number[]): number {
  let [sum, squares] = [0, 0];
  for (const v of values) {
    sum += v;
    squares += v * v;
  }
  return squares > 0 ? (sum * sum) / (values.length * squares) : 1;
}

/** When the last of its jobs ends; a moment after the first comes, where there is none. */
export function lastEndOf(trace: Columns, played: Played): number {
  let lastMs = (trace.submitMs[0] ?? 0) + 1;
  for (let i = 0; i < trace.jobs.length; i++)
    lastMs = Math.max(
      lastMs,
      (trace.submitMs[i] as number) + (played.waitMs[i] as number) + (trace.runMs[i] as number),
    );
  return lastMs;
}

/** How many waited and how many cores the cloud held, on average over each of equal spans of the trace. */
export interface Course {
  readonly fromMs: number;
  readonly spanMs: number;
  readonly waiting: Float64Array;
  readonly cloudCores: Float64Array;
}

/** `until`: where it ends; left out: with the last job. */
export function courseOf(trace: Columns, played: Played, spans = 300, until?: number): Course {
  const waiting = new Float64Array(spans);
  const cloudCores = new Float64Array(spans);
  const fromMs = trace.submitMs[0] ?? 0;
  const toMs = until ?? lastEndOf(trace, played);
  const spanMs = (toMs - fromMs) / spans;
  const add = (to: Float64Array, from: number, until: number, by: number): void => {
    const first = Math.max(0, Math.floor((from - fromMs) / spanMs));
    for (let s = first; s < spans && fromMs + s * spanMs < until; s++) {
      const begin = Math.max(from, fromMs + s * spanMs);
      const end = Math.min(until, fromMs + (s + 1) * spanMs);
      to[s] = (to[s] as number) + (by * Math.max(0, end - begin)) / spanMs;
    }
  };
  for (let i = 0; i < trace.jobs.length; i++) {
    const submitted = trace.submitMs[i] as number;
    const begun = submitted + (played.waitMs[i] as number);
    const burst = played.burstMs[i] as number;
    add(waiting, submitted, Number.isNaN(burst) ? begun : burst, 1);
    if (!Number.isNaN(burst))
      add(cloudCores, burst, begun + (trace.runMs[i] as number), trace.processors[i] as number);
  }
  return { fromMs, spanMs, waiting, cloudCores };
}
