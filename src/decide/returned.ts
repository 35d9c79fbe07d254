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
  /** Why it came home then. */
  readonly because: Cause | undefined;
  /** How often since the job last ran, its quotes that nobody approved and registries that were away left out: those cost nothing. */
  readonly times: number;
  /** Of these, after a machine was launched for it and its pod never ran. */
  readonly futile?: number | undefined;
}

/** Given back only because bursting was stopped, a job may burst once it is resumed. */
const uncounted: ReadonlySet<Cause['kind']> = new Set(['stopped']);
/** Left alone for a while, and not counted: nothing was bought, and nothing is held against the job. */
const costless: ReadonlySet<Cause['kind']> = new Set(['declined', 'expired', 'registry_silent']);
/** Slurm had started it, nothing of it had run, and it was no fault of the job's: it came back by a requeue. */
const unbegun: ReadonlySet<Cause['kind']> = new Set<Cause['kind']>([
  ...([
    'data_failed',
    'pod_failed',
    'image_failed',
    'image_unsigned',
    'no_capacity',
    'quota',
    'no_standin',
  ] as const),
]);

type Kind = 'back' | 'costless' | 'no word' | 'other';

function kindOf({ state, cause, grant, origin, claim }: Burst): Kind {
  if (cause !== undefined && uncounted.has(cause.kind)) return 'no word';
  if (cause !== undefined && costless.has(cause.kind)) return 'costless';
  if (state === 'returned') return 'back';
  if (state === 'requeued' && grant === undefined && cause !== undefined && unbegun.has(cause.kind))
    return 'back';
  // One that did no more than take the job home [engine/adopt.ts].
  if (origin === 'adopted' && grant === undefined && (claim?.times ?? 0) === 0) return 'no word';
  return 'other';
}

/** Which run of which job: a requeue changes the time of submission, and counts one up. */
type Run = Pick<Burst, 'submitAt' | 'restarts' | 'uid'>;

const isRun = (a: Run, b: Run): boolean => a.submitAt === b.submitAt && a.restarts === b.restarts;
const isNext = (run: Run, before: Run): boolean =>
  run.uid === before.uid && run.restarts === before.restarts + 1 && run.submitAt >= before.submitAt;

/** `ended`: newest first, as the store gives them. A person's word that a job may burst again ends what is counted. */
export function returnedOf(ended: Iterable<Burst>): Map<JobRef, Returned> {
  const found = new Map<JobRef, Returned>();
  /** The run that was looked at last; undefined: what is older is of no account. */
  const chains = new Map<JobRef, Run | undefined>();
  for (const burst of ended) {
    const { ref, submitAt, restarts, enteredAt, again } = burst;
    const newer = chains.get(ref);
    if (chains.has(ref) && (newer === undefined || !(isRun(newer, burst) || isNext(newer, burst)))) {
      chains.set(ref, undefined);
      continue;
    }
    const kind = kindOf(burst);
    if (kind === 'other' || again !== undefined) {
      chains.set(ref, undefined);
      continue;
    }
    chains.set(ref, burst);
    if (kind === 'no word') continue;
    const before: Returned = found.get(ref) ?? {
      ...{ submitAt, at: enteredAt, times: 0, because: burst.cause },
      restarts: burst.state === 'requeued' ? restarts + 1 : undefined,
    };
    const futile = (before.futile ?? 0) + (kind === 'back' && burst.futile === true ? 1 : 0);
    const times = before.times + (kind === 'back' ? 1 : 0);
    found.set(ref, { ...before, times, ...(futile === 0 ? {} : { futile }) });
  }
  return found;
}

/** Of this very job: an id is used again one day, and who ran or was submitted anew begins anew. */
export function returnedFor(
  job: Pick<Job, 'ref' | 'submitAt' | 'restarts'>,
  returned: ReadonlyMap<JobRef, Returned>,
): Returned | undefined {
  const found = returned.get(job.ref);
  if (found === undefined) return undefined;
  return found.submitAt === job.submitAt || found.restarts === job.restarts ? found : undefined;
}

/** What a condition of the policy must be met by for whom came back: twice as much, so that it does not swing between both sides. */
export const gainFactor = (returned: Returned | undefined): number =>
  returned === undefined || returned.times === 0 ? 1 : 2;
