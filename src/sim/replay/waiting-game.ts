/**
 * Waiting policies after Ambati, Bashir, Irwin and Shenoy, "Waiting Game: Optimally Provisioning Fixed Resources for Cloud-Enabled Schedulers"
 * (SC20): a job decides when it comes whether it waits for the fixed machine or goes on demand. Theirs judge by a job's run time and wait as
 * if they were known; here both are expected values, from jobs that have ended.
 */
import { expectedStarts } from '../../decide/worth.ts';
import type { Known, Policy, Sight } from './policy.ts';
import { backlogOf, learnedOf } from './worth.ts';

const waits = Number.POSITIVE_INFINITY;

/** Short jobs are cheap to rent, long ones wait. */
export function longJobsWait(known: Known, runMs: number): Policy {
  return {
    patienceMs: (job, { learned }) =>
      learned.expectedMs(known.jobs[job] as (typeof known.jobs)[number]) < runMs ? 0 : waits,
  };
}

/** A short wait is borne, a long one is not begun. */
export function shortWaitsWait(known: Known, waitMs: number, exact: number): Policy {
  const waitOf = expectedWaitOf(known, exact);
  return { patienceMs: (job, sight) => (waitOf(job, sight) > waitMs ? 0 : waits) };
}

/** Only who is short and would wait long goes. */
export function compound(known: Known, runMs: number, waitMs: number, exact: number): Policy {
  const long = longJobsWait(known, runMs);
  const short = shortWaitsWait(known, waitMs, exact);
  return {
    patienceMs: (job, sight) =>
      Math.max(long.patienceMs?.(job, sight) ?? waits, short.patienceMs?.(job, sight) ?? waits),
  };
}

function expectedWaitOf(known: Known, exact: number): (job: number, sight: Sight) => number {
  const expected = learnedOf(known);
  return (job, sight) => {
    const backlog = backlogOf(known, sight, expected, job);
    return expectedStarts(sight.processors, backlog, exact)[backlog.processors.length - 1] as number;
  };
}
