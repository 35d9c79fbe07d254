import type { Burst } from '../domain/burst.ts';
import {
  type AccountedJob,
  type ExitCode,
  finalStates,
  type JobDetail,
  type SeenState,
} from '../domain/job.ts';
import type { BurstContext } from './context.ts';
import { launchFailed } from './letgo.ts';

/** What Slurm says of the attempt that a burst stands for. */
export type JobSight =
  | { readonly kind: 'pending'; readonly job: JobDetail }
  | { readonly kind: 'running'; readonly job: JobDetail }
  /** Slurm is ending it: signals were or will be sent, the state to come is already shown or not. */
  | { readonly kind: 'ending'; readonly job: JobDetail }
  | { readonly kind: 'ended'; readonly state: SeenState; readonly exit: ExitCode; readonly partition: string }
  /** Slurm has requeued the job: this attempt is over for Slurm, the job lives on. */
  | { readonly kind: 'requeued'; readonly job: JobDetail }
  /** Neither slurmctld nor slurmdbd know it. slurmdbd lags, so one such look proves nothing. */
  | { readonly kind: 'absent' };

export async function look(ctx: BurstContext, burst: Burst): Promise<JobSight> {
  const job = await ctx.slurm.job(burst.ref);
  if (job !== undefined) {
    if (job.restarts > burst.restarts) return { kind: 'requeued', job };
    // SubmitTime changes at a requeue only, so with the same restart count it tells a reused job id.
    if (job.restarts === burst.restarts && job.submitAt === burst.submitAt) return sightOf(job);
  }
  const runs = await ctx.slurm.accounting(burst.ref);
  const run = attemptOf(burst, runs);
  if (run === undefined) return { kind: 'absent' };
  return { kind: 'ended', state: run.state, exit: run.exit, partition: run.partition };
}

export function sightOf(job: JobDetail): JobSight {
  if (finalStates.has(job.state))
    return { kind: 'ended', state: job.state, exit: job.exitCode, partition: job.partition };
  switch (job.state) {
    case 'PENDING':
    case 'REQUEUE_HOLD':
    case 'REQUEUED':
    case 'SPECIAL_EXIT':
    case 'RESV_DEL_HOLD':
      return { kind: 'pending', job };
    case 'COMPLETING':
    case 'SIGNALING':
      return { kind: 'ending', job };
    default:
      return { kind: 'running', job };
  }
}

/** slurmdbd keeps one row a run, told apart by their submit time. */
function attemptOf(burst: Burst, runs: readonly AccountedJob[]): AccountedJob | undefined {
  const own = runs.find((r) => r.submitAt === burst.submitAt);
  if (own !== undefined && finalStates.has(own.state)) return own;
  // REQUEUED is a run's last word, and a later run of the same id shows that this one is over.
  const over = own?.state === 'REQUEUED' || runs.some((r) => r.submitAt > burst.submitAt);
  return over ? own : undefined;
}

/** Held by its user or an admin; what Slurm itself holds after a failed launch is let go. */
export function isHeld(job: Pick<JobDetail, 'priority' | 'reason'>): boolean {
  if (launchFailed(job)) return false;
  return job.priority === 0 || job.reason.startsWith('JobHeld');
}
