/**
 * Which of those that wait are worth the cloud. A job's worth is what it would still wait here, less what it waits for its instances, by what it
 * costs: its expected run time on its processors. Per core-hour of cloud, the most waiting is so saved. Long jobs and wide ones stay, short
 * ones behind a long queue go. One knob says how much cloud to use: the least worth that goes.
 */
import { type ForecastInput, startsOf } from './backfill.ts';

export interface WorthTerms {
  /** The knob. Infinite: nobody goes. */
  readonly leastWorth: number;
  /** From a burst to the job's first second in the cloud. */
  readonly readyMs: number;
  /** The first so many of the queue are played forward with backfill; behind them work flows like water. */
  readonly exact: number;
}

export const usualExact = 200;

export interface Worthy {
  /** By its index in the input. */
  readonly job: number;
  readonly worth: number;
  /** When it would start here if nobody else came, with those ahead of it gone that are in this list. */
  readonly startsInMs: number;
}

/**
 * How many times as long a job still waits as the whole machine needs for it: a pure number, so that one knob means the same on a machine of
 * a hundred processors as on one of a hundred thousand. Work is the expected run time times processors.
 */
export function worthOf(savedMs: number, workMs: number, machine: number): number {
  return (savedMs * machine) / Math.max(1, workMs);
}

/** What one that waits is worth, by its place in the queue. */
type ToldWorth = (at: number, worth: number, startsInMs: number, goes: boolean) => void;

/**
 * From the front of a queue to its end, what each is worth; who goes counts as gone for those behind. Columns are by place in the queue, work is the
 * expected run time times processors; `readyMs` is undefined for who may not go. The gateway and replay ask here alike.
 */
export function worthsOf(
  machine: number,
  startsInMs: Float64Array,
  workMs: Float64Array,
  leastWorth: number,
  readyMs: (at: number) => number | undefined,
  told: ToldWorth,
): void {
  let gone = 0;
  for (let at = 0; at < workMs.length; at++) {
    const starts = Math.max(0, (startsInMs[at] as number) - gone / machine);
    // Infinite for who fits on no machine here: another condition's to tell.
    if (starts === Number.POSITIVE_INFINITY) continue;
    const ready = readyMs(at);
    if (ready === undefined) continue;
    const work = workMs[at] as number;
    const worth = worthOf(starts - ready, work, machine);
    const goes = worth >= leastWorth && worth > 0;
    told(at, worth, starts, goes);
    if (goes) gone += work;
  }
}

/** Of those that wait, who is worth it, most worth first. `runMs` holds expected run times (of those that run already, how much longer), and the order is the queue's. */
export function worthiest(machine: number, jobs: ForecastInput, terms: WorthTerms): Worthy[] {
  const starts = expectedStarts(machine, jobs, terms.exact).subarray(jobs.running);
  const chosen: Worthy[] = [];
  const tell: ToldWorth = (at, worth, startsInMs, goes) => {
    if (goes) chosen.push({ job: jobs.running + at, worth, startsInMs });
  };
  worthsOf(machine, starts, workOf(jobs), terms.leastWorth, () => terms.readyMs, tell);
  return chosen.sort((a, b) => b.worth - a.worth);
}

/** Of those that wait: the expected run time times processors. */
export function workOf({ processors, runMs, running }: ForecastInput): Float64Array {
  const work = new Float64Array(processors.length - running);
  for (let i = 0; i < work.length; i++)
    work[i] = (runMs[running + i] as number) * (processors[running + i] as number);
  return work;
}

/** One play with expected run times: with backfill for the first of the queue, as work over the machine for the rest. */
export function expectedStarts(machine: number, jobs: ForecastInput, exact: number): Float64Array {
  const count = jobs.processors.length;
  const near = Math.min(count, jobs.running + exact);
  const starts = new Float64Array(count);
  const played = starts.subarray(0, near);
  startsOf(
    machine,
    {
      processors: jobs.processors.subarray(0, near),
      limitMs: jobs.limitMs.subarray(0, near),
      runMs: jobs.runMs.subarray(0, near),
      running: jobs.running,
    },
    played,
  );
  if (near === count) return starts;
  let work = 0;
  let [flowed, waited] = [0, 0];
  for (let job = 0; job < count; job++) {
    const flow = work / machine;
    if (job >= near) {
      const fits = (jobs.processors[job] as number) <= machine;
      // By how much gaps held up those that were played, they hold up those behind.
      starts[job] = fits ? flow * (flowed > 0 ? Math.max(1, waited / flowed) : 1) : Number.POSITIVE_INFINITY;
    } else if (job >= jobs.running && Number.isFinite(starts[job])) {
      flowed += flow;
      waited += starts[job] as number;
    }
    work += (jobs.runMs[job] as number) * (jobs.processors[job] as number);
  }
  return starts;
}
