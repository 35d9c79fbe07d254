/** Jobs that were burst and came back: how often, and when last. Whoever came back is left alone for a while, each time for longer. */
import type { Burst, Cause } from '../domain/burst.ts';
import type { Instant, JobRef } from '../domain/ids.ts';
import type { Job } from '../domain/job.ts';

export interface Returned {
  readonly submitAt: Instant;
  /** The job's restarts since, where coming back took a requeue; with one Slurm gives it another time of submission. */
  readonly restarts: number | undefined;
  /** The last time. */
  readonly at: Instant;
  /** How often since the job last ran, its quotes that nobody approved left out: those cost nothing. */
  readonly times: number;
}

/** Given back only because bursting was stopped, a job may burst once it is resumed. */
const uncounted: ReadonlySet<Cause['kind']> = new Set(['stopped']);
const unapproved: ReadonlySet<Cause['kind']> = new Set(['declined', 'expired']);

/** `ended`: newest first, as the store gives them. */
export function returnedOf(ended: Iterable<Burst>): Map<JobRef, Returned> {
  const found = new Map<JobRef, Returned>();
  /** The job whose returns are counted; undefined: it ran before that, or another had its id. */
  const counting = new Map<JobRef, Burst['job'] | undefined>();
  for (const { ref, job, submitAt, restarts, state, cause, enteredAt, again } of ended) {
    // A person said that what came back until here counts no more.
    if (again !== undefined) counting.set(ref, undefined);
    if (cause !== undefined && uncounted.has(cause.kind)) continue;
    if (counting.has(ref) && counting.get(ref) !== job) continue;
    const turnedDown = cause !== undefined && unapproved.has(cause.kind);
    // What Slurm had started before its data failed comes home by a requeue.
    const unfed = cause?.kind === 'data_failed';
    if (state !== 'returned' && !turnedDown && !unfed) {
      counting.set(ref, undefined);
      continue;
    }
    counting.set(ref, job);
    const before = found.get(ref) ?? {
      ...{ submitAt, at: enteredAt, times: 0 },
      restarts: unfed && state === 'requeued' ? restarts + 1 : undefined,
    };
    found.set(ref, { ...before, times: before.times + (turnedDown ? 0 : 1) });
  }
  return found;
}

/** Of this very job: an id is used again one day, and who was requeued or submitted anew begins anew. */
export function returnedFor(
  job: Pick<Job, 'ref' | 'submitAt' | 'restarts'>,
  returned: ReadonlyMap<JobRef, Returned>,
): Returned | undefined {
  const found = returned.get(job.ref);
  return found?.submitAt === job.submitAt || found?.restarts === job.restarts ? found : undefined;
}

/** What a condition of the policy must be met by for whom came back: twice as much, so that it does not swing between both sides. */
export const gainFactor = (returned: Returned | undefined): number =>
  returned === undefined || returned.times === 0 ? 1 : 2;
