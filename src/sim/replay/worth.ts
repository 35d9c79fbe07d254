/** The default policy: at each tick those go who are worth it, by what has ended so far. */
import type { ForecastInput } from '../../decide/backfill.ts';
import { type RatioForecast, remainingMs } from '../../decide/predict.ts';
import { usualExact, worthiest } from '../../decide/worth.ts';
import type { Known, Policy, Sight } from './policy.ts';

/** How long a job is expected to run; of one that has run for `ageMs`, how much longer. */
export type Expected = (job: number, sight: Sight, ageMs: number) => number;

export interface WorthPolicy {
  readonly leastWorth: number;
  readonly readyMs: number;
  readonly exact?: number;
  /** [learnedOf] */
  readonly agesBy?: number;
}

export function worth(known: Known, terms: WorthPolicy): Policy {
  return byWorth(known, terms, learnedOf(known, terms.agesBy));
}

/** The same with run times known, which says what a better predictor could still gain. */
export function worthKnowing(known: Known & { readonly runMs: Float64Array }, terms: WorthPolicy): Policy {
  return byWorth(known, terms, (job, _sight, ageMs) => (known.runMs[job] as number) - ageMs);
}

/** What was thought of a job when it was first seen to run, and when it should be over by what its age says since. */
interface Course {
  readonly forecast: RatioForecast;
  saidAtMs: number;
  wholeMs: number;
}

/**
 * A running job's age is looked at anew whenever it has grown by this share of the limit, and what was thought of it stands: a replay asks more often
 * than a gateway looks. With 0 each is thought of anew each time, as a gateway does.
 */
const usualAgesBy = 1 / 64;

export function learnedOf(known: Known, agesBy = usualAgesBy): Expected {
  if (agesBy === 0)
    return (job, { learned }, ageMs) => {
      const one = known.jobs[job] as (typeof known.jobs)[number];
      return ageMs <= 0 ? learned.expectedMs(one) : remainingMs(learned.predict(one), one.requestMs, ageMs);
    };
  let courses = new Map<number, Course>();
  return (job, { learned, machine }, ageMs) => {
    const one = known.jobs[job] as (typeof known.jobs)[number];
    if (ageMs <= 0) return learned.expectedMs(one);
    let course = courses.get(job);
    if (course === undefined) {
      // Those that have ended are forgotten by and by.
      if (courses.size > 1_000 + 4 * machine.running) courses = new Map();
      course = { forecast: learned.predict(one), saidAtMs: Number.NEGATIVE_INFINITY, wholeMs: 0 };
      courses.set(job, course);
    }
    if (ageMs - course.saidAtMs >= agesBy * one.requestMs) {
      course.saidAtMs = ageMs;
      course.wholeMs = ageMs + remainingMs(course.forecast, one.requestMs, ageMs);
    }
    return course.wholeMs - ageMs;
  };
}

function byWorth(known: Known, terms: WorthPolicy, expected: Expected): Policy {
  const { leastWorth, readyMs, exact = usualExact } = terms;
  return {
    chosen(sight) {
      const { machine } = sight;
      const backlog = backlogOf(known, sight, expected);
      return worthiest(sight.processors, backlog, { leastWorth, readyMs, exact }).map(({ job }) =>
        machine.at(job - backlog.running),
      );
    },
  };
}

/** What runs and what waits, with what is expected of each; `next` as the last of those that wait. */
export function backlogOf(known: Known, sight: Sight, expected: Expected, next?: number): ForecastInput {
  const { machine, nowMs, startedMs } = sight;
  const { running } = machine;
  const there = running + machine.length;
  const count = next === undefined ? there : there + 1;
  const processors = new Int32Array(count);
  const limitMs = new Float64Array(count);
  const runMs = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    const job = i < running ? machine.runningAt(i) : i < there ? machine.at(i - running) : (next as number);
    const age = i < running ? nowMs - (startedMs[job] as number) : 0;
    const limit = Math.max(1, (known.limitMs[job] as number) - age);
    processors[i] = known.processors[job] as number;
    limitMs[i] = limit;
    runMs[i] = Math.max(1, Math.min(limit, expected(job, sight, age)));
  }
  return { processors, limitMs, runMs, running };
}
