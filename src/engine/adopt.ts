import { returnedFor, returnedOf } from '../decide/returned.ts';
import { staysFor } from '../decide/rules/backoff.ts';
import type { Burst } from '../domain/burst.ts';
import { grantedStates } from '../domain/burst.ts';
import type { Job, JobDetail } from '../domain/job.ts';
import type { ClusterSetup, Policy } from '../domain/policy.ts';

/**
 * A job in the burst or wait partition that no live burst explains. It was ours if an earlier burst of the same job is on
 * record: then it is taken on again. Whatever was put there by hand never was.
 */
export type Orphan =
  | ({ readonly kind: 'next_attempt' } & Ours)
  | ({ readonly kind: 'same_attempt' } & Ours)
  | ({ readonly kind: 'ran_already' } & Ours)
  /** A run of that number is on record under another time of submission, and nobody knows what became of it. */
  | ({ readonly kind: 'unsure' } & Ours)
  | { readonly kind: 'never_ours' };

interface Ours {
  readonly before: Burst;
  /** The newest that says whether it may burst: one that did no more than take the job home says nothing of that. */
  readonly decided: Burst;
  /** How often it came back before anything of it ran. */
  readonly times: number;
}

const claimed = (b: Burst): boolean => b.grant !== undefined || (b.claim?.times ?? 0) > 0;
const tookHome = (b: Burst): boolean => b.origin === 'adopted' && !claimed(b);

/** `earlier`: bursts of that job id, newest first. A reused job id has another submit time and no higher restart count. */
export function explain(job: JobDetail, earlier: readonly Burst[]): Orphan {
  for (const before of earlier) {
    if (before.uid !== job.uid) continue;
    if (before.submitAt === job.submitAt && before.restarts === job.restarts) {
      const ran =
        before.grant !== undefined || (grantedStates.has(before.state) && before.startedAt !== undefined);
      return { kind: ran ? 'ran_already' : 'same_attempt', ...ours(job, before, earlier) };
    }
    if (job.restarts > before.restarts && job.submitAt >= before.submitAt)
      return { kind: 'next_attempt', ...ours(job, before, earlier) };
  }
  // Slurm counts a requeue at once, and changes the time of submission only when the processes are gone: a pod that was made in between bears
  // the old one. An older store may know that pod alone. (A reused id has run for the first time.)
  const between = earlier.find(
    (b) => b.uid === job.uid && b.restarts > 0 && b.restarts === job.restarts && b.submitAt < job.submitAt,
  );
  return between === undefined ? { kind: 'never_ours' } : { kind: 'unsure', ...ours(job, between, earlier) };
}

function ours(job: JobDetail, before: Burst, earlier: readonly Burst[]): Ours {
  const decided = earlier.find((b) => b.job === before.job && !tookHome(b)) ?? before;
  // Found by its ref and by its id, a burst stands there twice.
  const each = [...new Map(earlier.map((b) => [b.id, b])).values()];
  return { before, decided, times: returnedFor(job, returnedOf(each))?.times ?? 0 };
}

/** Lines of the queue that may be orphans. */
export function strays(
  jobs: readonly Job[],
  partitions: readonly string[],
  live: readonly Burst[],
): readonly Job[] {
  const known = new Set(live.flatMap((b) => [b.ref as string, `${b.jobId}`]));
  return jobs.filter(
    (j) =>
      partitions.includes(j.partition) &&
      (j.state === 'PENDING' || j.state === 'RUNNING') &&
      !known.has(j.ref) &&
      !known.has(`${j.id}`),
  );
}

/** What sends the run after this one home wherever it lies, also where Slurm has started it here again before it was moved. */
export function homeward({ cause, stays }: Burst): Burst['cause'] {
  if (stays !== undefined) return { kind: 'out_of_memory', text: stays };
  return cause?.kind === 'data_failed' || cause?.kind === 'out_of_memory' ? cause : undefined;
}

/** What a person has said of bursting at all: nobody's word on one job. */
export interface Standing {
  readonly stopped: boolean;
  /** Mode auto with a ramp that nobody lifted. */
  readonly onRamp: boolean;
}

/**
 * Why a job is not taken on again: its data could not be brought, its memory was too little, or it came back so often that a person has to say so; or where its earlier burst was decided or offered and never claimed: whoever moved it to our partition since is
 * its owner, and an owner's move is no yes, lifts no ramp and takes back no stop. Undefined: it is taken on. What we have claimed once is, whatever
 * stands: its stand-in may be a late answer's.
 */
export function heldUp(
  setup: Pick<ClusterSetup, 'mode' | 'onFailure'>,
  { decided, times }: Pick<Ours, 'decided' | 'times'>,
  { stopped, onRamp }: Standing,
  { returns }: Pick<Policy, 'returns'>,
): string | undefined {
  // Nor is it tried over and over with data that cannot be brought: it goes home, and may burst from there as any other.
  if (decided.cause?.kind === 'data_failed') return decided.cause.text;
  if (decided.stays !== undefined) return decided.stays;
  if (decided.cause !== undefined && staysFor(decided.cause, setup)) return decided.cause.text;
  // Each may have bought a machine, and whatever ends them before they run is not mended by the next.
  if (times >= returns)
    return `it came back ${times} times before anything of it ran: ${decided.cause?.text ?? 'no reason on record'}`;
  // A move home is written as a claim is, and counted as none.
  if (claimed(decided) || decided.origin !== 'decision' || decided.answer?.yes === true) return undefined;
  if (setup.mode === 'approve') return 'nobody approved that this job bursts';
  if (stopped) return 'bursting is stopped';
  return onRamp ? 'this site bursts only what its ramp lets in' : undefined;
}
