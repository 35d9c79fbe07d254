/** Jobs that were burst and came back: how often, and when last. Whoever came back is left alone for a while, each time for longer. */
import type { Burst, Cause } from '../domain/burst.ts';
import type { Instant, JobRef } from '../domain/ids.ts';
import type { Job } from '../domain/job.ts';

export interface Returned {
  readonly submitAt: Instant;
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
  const found = new Map<JobRef, Returned & { readonly attempt: Burst['attempt'] }>();
  for (const { ref, attempt, submitAt, state, cause, enteredAt } of ended) {
    const turnedDown = cause !== undefined && unapproved.has(cause.kind);
    if ((cause !== undefined && uncounted.has(cause.kind)) || (state !== 'returned' && !turnedDown)) continue;
    const before = found.get(ref);
    if (before !== undefined && before.attempt !== attempt) continue;
    const at = before === undefined || enteredAt > before.at ? enteredAt : before.at;
    found.set(ref, { attempt, submitAt, at, times: (before?.times ?? 0) + (turnedDown ? 0 : 1) });
  }
  return found;
}

/** Of this very job: an id is used again one day, and who was requeued or submitted anew begins anew. */
export function returnedFor(
  job: Pick<Job, 'ref' | 'submitAt'>,
  returned: ReadonlyMap<JobRef, Returned>,
): Returned | undefined {
  const found = returned.get(job.ref);
  return found?.submitAt === job.submitAt ? found : undefined;
}

/** What a condition of the policy must be met by for whom came back: twice as much, so that it does not swing between both sides. */
export const gainFactor = (returned: Returned | undefined): number =>
  returned === undefined || returned.times === 0 ? 1 : 2;
