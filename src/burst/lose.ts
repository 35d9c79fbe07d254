import type { Burst } from '../domain/burst.ts';
import { listsOf } from '../domain/data.ts';
import { resultKeys } from './carry.ts';
import { comment } from './comment.ts';
import {
  after,
  type BurstContext,
  change,
  freed,
  type Next,
  never,
  now,
  outcome,
  troubled,
} from './context.ts';
import { look } from './look.ts';
import { endPod, fenceInstances, lookAtAll } from './pod.ts';
import { holdBack, requeueOnce } from './requeue.ts';
import { resultsLeft } from './results.ts';
import { annotated, cleared } from './settle.ts';
import { noteReclaim } from './spot.ts';

/** The pod is over by now, so nothing runs: this long a job that neither daemon knows is looked for. */
const absentMs = 10 * 60_000;

/** lost: over without a word, or out of sight for too long, with any of its pods. What is not known to be over is fenced before anything follows. */
export async function lose(ctx: BurstContext, burst: Burst): Promise<Next> {
  const sight = await lookAtAll(ctx, burst);
  if (sight.kind === 'over') return conclude(ctx, burst);
  const why = sight.kind === 'unknown' ? sight.why : 'its pod was given up and is back';
  await change(ctx, burst, { state: 'fencing' }, `must be known to be over first: ${why}`);
  return now;
}

/**
 * fencing: the pods are asked to end, and the instance of each is terminated unless a kubelet that is Ready says that the pod is over.
 * Only the kubelet's or the cloud's word ends this.
 */
export async function fence(ctx: BurstContext, burst: Burst): Promise<Next> {
  const sight = await lookAtAll(ctx, burst);
  if (sight.kind === 'over') return conclude(ctx, burst);
  await endPod(ctx, burst, 1);
  if (sight.kind === 'alive') return after(2_000);
  return (await fenceInstances(ctx, burst)) ? after(5_000) : after(60_000);
}

/**
 * The pod is over. The job runs again where site and job allow it, or its stand-in ends it and says why. One whose spot instance was taken back runs
 * again whatever `onLost` says: that this may happen was known when it was sent there.
 */
async function conclude(ctx: BurstContext, lost: Burst): Promise<Next> {
  const burst = await noteReclaim(ctx, lost);
  if (burst === undefined) return now;
  const { onFailure, onLost } = ctx.setup;
  const policy = (burst.lostBy && onFailure?.[burst.lostBy]) ?? onLost;
  const again =
    burst.reclaimedAt !== undefined || (policy === 'requeue' && !(await evictedTooOften(ctx, burst)));
  const sight = await look(ctx, burst);
  switch (sight.kind) {
    case 'pending':
    case 'requeued':
      // Pending in this very run: it was taken on again after the store was lost, and had never begun.
      if (!(await holdBack(ctx, burst))) return after(1_000);
      await change(
        ctx,
        burst,
        { state: 'requeueing', cause: { kind: 'requeued', text: 'Slurm requeued the job' } },
        'requeued after its pod was lost',
      );
      return now;
    case 'running': {
      const asked = again ? await requeueOnce(ctx, burst, sight.job) : undefined;
      return asked ?? endStandin(ctx, burst);
    }
    case 'ended':
      return fail(ctx, burst, sight.state);
    case 'absent': {
      if (ctx.clock.now() - burst.enteredAt > absentMs) return fail(ctx, burst, 'absent');
      await troubled(
        ctx,
        burst,
        'neither slurmctld nor slurmdbd know the job whose pod was lost; looking again',
      );
      return after(30_000);
    }
    default:
      return after(2_000);
  }
}

/** So many evictions of one job in a row are the job's own doing, such as a disk that it fills: another run would end so, too. */
const evictionsAtMost = 3;

async function evictedTooOften(ctx: BurstContext, burst: Burst): Promise<boolean> {
  if (burst.lostBy !== 'podEvicted') return false;
  const runs = await ctx.store.burstsOfJob(burst.cluster, burst.ref);
  let times = 0;
  for (const { lostBy } of runs.filter((b) => b.job === burst.job && b.startedAt !== undefined)) {
    if (lostBy !== 'podEvicted') break;
    times += 1;
  }
  return times >= evictionsAtMost;
}

async function endStandin(ctx: BurstContext, burst: Burst): Promise<Next> {
  const standin = ctx.streams.standinOf(burst.cluster, burst.jobId);
  if (standin?.link !== 'up' || standin.open.restart !== burst.restarts) {
    await troubled(
      ctx,
      burst,
      'its pod was lost; its stand-in is not connected, so the job cannot be ended yet',
    );
    return after(2_000);
  }
  if (!standin.bye) {
    ctx.streams.couple(burst.id, standin.key);
    ctx.streams.discard(burst.id);
    ctx.streams.finish(burst.id, { lost: true, reason: burst.exit?.reason });
  }
  return after(1_000);
}

/** Its results may have been in the store by then. */
function resultsIn(ctx: BurstContext, burst: Burst): string {
  if (burst.data?.home === true) return '';
  if (burst.data === undefined || listsOf(burst.data).length === 0)
    return resultsLeft(burst) ? '; its results were lost with it' : '';
  return `; its results are in ${ctx.pods.staging?.where ?? 'the object store: '}${resultKeys(burst)}`;
}

async function fail(ctx: BurstContext, burst: Burst, state: string): Promise<Next> {
  const held = await cleared(ctx, burst);
  if (held === undefined) return after(1_500);
  const reason = `its pod was lost: ${burst.exit?.reason ?? 'no reason known'}${resultsIn(ctx, burst)}`;
  if (state !== 'absent') {
    if (!(await annotated(ctx, held))) return after(3_000);
    await comment(ctx, burst, reason);
  }
  await change(ctx, held, { state: 'failed', trouble: undefined, unknownSince: undefined }, reason, [
    { kind: 'receipt', receipt: outcome(ctx, held, 'burst', `${reason}; Slurm says ${state}`) },
  ]);
  freed(ctx, burst);
  return never;
}
