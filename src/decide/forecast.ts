/**
 * When would each job that waits start here? The queue is played forward many times, with run times drawn from what is known of each user's;
 * the machine decides by limits, as Slurm does, and jobs end when they end. What it leaves out: jobs that will yet come, memory and GRES, priorities
 * that change by age. `calibrate.ts` corrects for what that does to a site's forecasts.
 */
import { Starter } from './backfill.ts';
import { given, type Predictor, type RatioForecast, shareAt } from './predict.ts';

export interface QueuedJob {
  readonly user: string;
  readonly account: string;
  readonly processors: number;
  readonly limitMs: number;
}

export interface RunningJob extends QueuedJob {
  readonly ageMs: number;
}

/** One machine: nodes that one queue is served from. */
export interface QueueView {
  readonly processors: number;
  readonly running: readonly RunningJob[];
  /** In the order in which Slurm looks at them. */
  readonly waiting: readonly QueuedJob[];
}

/** A parameter of the cycle, named by receipts. */
export interface Forecaster {
  readonly draws: number;
  /** The first so many are played with backfill; behind them work flows like water. */
  readonly exact: number;
}

export const usualForecaster: Forecaster = { draws: 100, exact: 500 };

export const nameOf = ({ draws, exact }: Forecaster): string => `backfill ${exact}, draws ${draws}`;

/** How long a job runs by what is known; of one that has run for `ageMs`, how much longer: its `u`-quantile in ms, for `u` in [0, 1). */
export type RunTimes = (job: QueuedJob, ageMs: number) => (u: number) => number;

/** By each user's own history; never beyond the limit, and never less than a millisecond. */
export function learnedRunTimes(predictor: Pick<Predictor, 'predict'>): RunTimes {
  const known = new Map<string, RatioForecast>();
  return (job, ageMs) => {
    const key = `${job.user}|${job.limitMs}|${job.processors}`;
    let forecast = known.get(key);
    if (forecast === undefined) {
      forecast = predictor.predict({ user: job.user, requestMs: job.limitMs, processors: job.processors });
      known.set(key, forecast);
    }
    const age = ageMs / job.limitMs;
    const ratios = given(forecast, Math.min(1, age));
    return (u) => Math.max(1, (Math.max(age, shareAt(ratios, u)) - age) * job.limitMs);
  };
}

/** As Slurm itself reckons: everybody runs to the limit. */
export const byLimits: RunTimes = (job, ageMs) => {
  const left = Math.max(1, job.limitMs - ageMs);
  return () => left;
};

/** By the index in `waiting`, in ms from the look; infinite for who can never start on this machine. */
export interface Starts {
  readonly p10: Float64Array;
  readonly p50: Float64Array;
  readonly p90: Float64Array;
}

/** Jobs at the border of the exact part, by which the water behind is measured. */
const border = 50;

/** `random` in [0, 1): the same numbers give the same forecast. */
export function forecastStarts(
  view: QueueView,
  runTimes: RunTimes,
  { draws, exact }: Forecaster,
  random: () => number,
): Starts {
  const { processors } = view;
  const fit = view.waiting.flatMap((job, i) => (job.processors <= processors ? [i] : []));
  const near = Math.min(fit.length, exact);
  const running = view.running.length;
  const jobs = columnsOf(view, fit.slice(0, near));
  const longer = view.running.map((job) => runTimes(job, job.ageMs));
  const runs = fit.map((i) => runTimes(view.waiting[i] as QueuedJob, 0));
  const needs = fit.map((i) => (view.waiting[i] as QueuedJob).processors);
  const starter = new Starter(processors, jobs);
  const starts = new Float64Array(running + near);
  const drawn = new Float64Array(fit.length * draws);
  const flow = new Float64Array(near);
  for (let d = 0; d < draws; d++) {
    let work = 0;
    for (let i = 0; i < running; i++) {
      const ms = (longer[i] as (u: number) => number)(random());
      jobs.runMs[i] = ms;
      work += ms * (jobs.processors[i] as number);
    }
    for (let k = 0; k < near; k++) {
      const ms = (runs[k] as (u: number) => number)(random());
      jobs.runMs[running + k] = ms;
      flow[k] = work / processors;
      work += ms * (needs[k] as number);
    }
    starter.starts(starts);
    for (let k = 0; k < near; k++) drawn[k * draws + d] = starts[running + k] as number;
    const slower = slowness(starts.subarray(running), flow);
    for (let k = near; k < fit.length; k++) {
      drawn[k * draws + d] = (slower * work) / processors;
      work += (runs[k] as (u: number) => number)(random()) * (needs[k] as number);
    }
  }
  return quantilesOf(drawn, draws, fit, view.waiting.length);
}

function columnsOf(view: QueueView, near: readonly number[]) {
  const count = view.running.length + near.length;
  const processors = new Int32Array(count);
  const limitMs = new Float64Array(count);
  view.running.forEach((job, i) => {
    processors[i] = job.processors;
    limitMs[i] = Math.max(1, job.limitMs - job.ageMs);
  });
  near.forEach((at, k) => {
    const job = view.waiting[at] as QueuedJob;
    processors[view.running.length + k] = job.processors;
    limitMs[view.running.length + k] = job.limitMs;
  });
  return { processors, limitMs, runMs: new Float64Array(count), running: view.running.length };
}

/** By how much the machine's gaps hold up the queue, against work that flows without gaps; measured at the end of the exact part. */
function slowness(starts: Float64Array, flow: Float64Array): number {
  let [played, flowed] = [0, 0];
  for (let k = Math.max(0, starts.length - border); k < starts.length; k++) {
    played += starts[k] as number;
    flowed += flow[k] as number;
  }
  return flowed > 0 ? Math.max(1, played / flowed) : 1;
}

function quantilesOf(drawn: Float64Array, draws: number, fit: readonly number[], waiting: number): Starts {
  const never = (): Float64Array => new Float64Array(waiting).fill(Number.POSITIVE_INFINITY);
  const out = { p10: never(), p50: never(), p90: never() };
  fit.forEach((at, k) => {
    const sorted = drawn.subarray(k * draws, (k + 1) * draws).sort();
    out.p10[at] = quantile(sorted, 0.1);
    out.p50[at] = quantile(sorted, 0.5);
    out.p90[at] = quantile(sorted, 0.9);
  });
  return out;
}

/** Of ascending values, linear between them (Hyndman and Fan 1996, type 7). */
export function quantile(sorted: Float64Array | readonly number[], q: number): number {
  const at = (sorted.length - 1) * q;
  const low = sorted[Math.floor(at)] as number;
  const high = sorted[Math.ceil(at)] as number;
  return low === high ? low : low + (high - low) * (at - Math.floor(at));
}
