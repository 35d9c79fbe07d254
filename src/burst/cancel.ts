import type { Burst } from '../domain/burst.ts';
import type { KeeperView } from '../stream/streams.ts';
import { after, type BurstContext, change, type Next, now } from './context.ts';
import { exitOf } from './ends.ts';
import { inPods, resultsMs, scriptsKnown } from './gather.ts';
import { othersOver } from './others.ts';
import { endPod, lookAtAll, type PodSight, unseen } from './pod.ts';
import { connect } from './provision.ts';
import { holdBack } from './requeue.ts';
import { exitWith, resultsLeft, takeHome } from './results.ts';
import { lostSight } from './run.ts';

const SIGKILL = 9;
/** A stand-in tries again every 5 s at most. */
const reconnectMs = 8_000;
/** A script that was killed is gone by then. */
const killedMs = 20_000;

/**
 * cancelling: Slurm has ended or requeued the attempt. The script had its SIGTERM through the stand-in; what still runs when KillWait
 * nears its end is killed. The attempt counts as over only by its kubelet's word or the cloud's.
 */
export async function cancel(ctx: BurstContext, burst: Burst): Promise<Next> {
  const reached = await connect(ctx, burst).catch(() => undefined);
  const keeper = ctx.streams.keeper(burst.id);
  const standin = ctx.streams.standinOf(burst.cluster, burst.jobId);
  const here = standin?.link === 'up' && standin.open.restart === burst.restarts;
  // A stand-in that only reconnects (to a gateway that has just started) still takes what is left of the output.
  const goneFor = ctx.clock.now() - (standin?.linkSince ?? burst.enteredAt);
  if (here) ctx.streams.couple(burst.id, standin.key);
  else if (goneFor > reconnectMs) ctx.streams.discard(burst.id);

  if (keeper?.exit !== undefined && !inPods(burst)) await othersOver(ctx, burst);
  const due = burst.killBy ?? burst.enteredAt;
  if (keeper?.exit !== undefined && (keeper.link === 'up' || scriptsKnown(burst))) {
    const canWrite = (here || goneFor <= reconnectMs) && ctx.clock.now() < due;
    const carried = await takeHome(ctx, burst, canWrite);
    if (carried !== undefined) return carried;
  }
  const dead = !here || ctx.clock.now() >= due;
  if (keeper?.exit !== undefined && here && ctx.clock.now() < due) {
    // It ended by itself within KillWait: the stand-in ends the same way, as the script would have on-prem.
    if (keeper.drained && !resultsLeft(burst))
      ctx.streams.finish(burst.id, exitWith(burst, keeper.exit.exit));
    if (!standin.bye) return after(Math.min(1_000, Math.max(100, due - ctx.clock.now())));
  }
  if (!dead) return after(Math.max(100, Math.min(1_000, due - ctx.clock.now())));
  if (keeper?.exit === undefined) {
    ctx.streams.signal(burst.id, `gkill-${burst.restarts}`, SIGKILL, 'all');
    // Its script dies of that; main is needed for what the script made.
    const since = Math.max(due, burst.enteredAt, keeper?.linkSince ?? 0);
    if (resultsLeft(burst) && keeper?.link === 'up' && ctx.clock.now() - since < killedMs)
      return after(1_000);
  } else if (here && keeper.drained && !resultsLeft(burst))
    ctx.streams.finish(burst.id, exitWith(burst, keeper.exit.exit));

  let pod = await lookAtAll(ctx, burst);
  const ends = keeper?.exit === undefined || (burst.data !== undefined && pod.kind === 'alive');
  const unheard = keeper === undefined && reached === undefined;
  if (ends && !unheard && !awaits(ctx, burst, keeper, pod)) {
    await endPod(ctx, burst, 1);
    pod = await lookAtAll(ctx, burst);
  }
  if (pod.kind === 'alive') {
    // Out of sight twice for a moment is not out of sight all the time between.
    if (burst.unknownSince !== undefined)
      await change(ctx, burst, { unknownSince: undefined, trouble: undefined }, 'its pod is in sight again');
    return after(1_000);
  }
  if (pod.kind === 'unknown') {
    if (await unseen(ctx, burst, `${pod.why}; Slurm has ended the job`))
      return lostSight(ctx, burst, pod.why);
    return after(5_000);
  }
  if (burst.cause?.kind === 'requeued' && !(await holdBack(ctx, burst))) return after(1_000);
  // What it was committed to have ended by comes before what the keeper alone could see.
  const exit = burst.exit ?? keeper?.exit?.exit ?? (pod.pod === undefined ? undefined : exitOf(pod.pod));
  const over = {
    exit,
    usage: keeper?.exit?.usage ?? burst.usage,
    endedAt: burst.endedAt ?? ctx.clock.now(),
    dropped: keeper?.dropped ?? burst.dropped,
    trouble: undefined,
  };
  if (burst.cause?.kind === 'requeued')
    // The pod is over, so a stand-in of the next attempt that comes first only waits; still the job belongs in burst_wait.
    await change(ctx, burst, { ...over, state: 'requeueing' }, `its pod is over: ${pod.how}`);
  else await change(ctx, burst, { ...over, state: 'final' }, `its pod is over: ${pod.how}`);
  return now;
}

/**
 * What the script made is still in its pod, and nobody can ask for it now: the gateway has only just started, or the API server is away. The
 * pod is not ended before it was waited for. Of one that is out of sight its instance is what is asked in the end.
 */
function awaits(ctx: BurstContext, burst: Burst, keeper: KeeperView | undefined, pod: PodSight): boolean {
  if (!resultsLeft(burst) || burst.grant === undefined || pod.kind === 'over' || keeper?.link === 'up')
    return false;
  const since = Math.max(burst.killBy ?? 0, burst.enteredAt, burst.endedAt ?? 0, keeper?.linkSince ?? 0);
  return pod.kind === 'unknown' || ctx.clock.now() - since < resultsMs;
}
