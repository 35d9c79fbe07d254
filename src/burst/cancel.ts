import type { Burst } from '../domain/burst.ts';
import { faultOf } from '../domain/fault.ts';
import type { MoveSpec } from '../ports.ts';
import {
  after,
  answered,
  type BurstContext,
  change,
  intend,
  later,
  type Next,
  now,
  settleMs,
  troubled,
  writeMs,
} from './context.ts';
import { endPod, lookAtPod } from './pod.ts';
import { connect } from './provision.ts';
import { exitOf } from './run.ts';

const SIGKILL = 9;
/** A stand-in tries again every 5 s at most. */
const reconnectMs = 8_000;

/**
 * A requeued job lies in the burst partition, and Slurm would start it there: it is held back in the wait partition, which is DOWN,
 * until the next attempt has its capacity. False while the move's answer is open.
 */
async function holdBack(ctx: BurstContext, burst: Burst): Promise<boolean> {
  const open = burst.claim !== undefined && !burst.claim.answered;
  if (open && burst.claim !== undefined && ctx.clock.now() < later(burst.claim.deadline, settleMs))
    return false;
  const job = await ctx.slurm.job(burst.ref);
  if (job === undefined || job.state !== 'PENDING' || job.partition !== ctx.setup.burstPartition) return true;
  const { waitPartition } = ctx.setup;
  const deadline = later(ctx.clock.now(), writeMs);
  const spec: MoveSpec = {
    partition: waitPartition,
    timeLimitMs: job.timeLimitMs === 'partition' ? burst.saved.timeLimitMs : job.timeLimitMs,
    minNodes: 1,
    maxNodes: 1,
    memory: burst.saved.memory,
  };
  const intent = intend(ctx, burst, 'slurm.move', { ...spec }, deadline);
  const claim = { deadline, answered: false, times: burst.claim?.times ?? 0 };
  const held = await change(ctx, burst, { claim }, `holds the requeued job back in ${waitPartition}`, [
    { kind: 'intent', intent },
  ]);
  if (held === undefined) return false;
  try {
    await ctx.slurm.move(burst.ref, spec, deadline);
  } catch (e) {
    const fault = faultOf(e);
    if (fault === undefined || fault === 'unknown') throw e;
    // Started already: its stand-in is told to wait.
    await change(ctx, held, { claim: { ...claim, answered: true } }, (e as Error).message, [
      answered(ctx, intent, fault),
    ]);
    // Refused or started: a stand-in that comes first only waits, so the pod's end need not wait for this.
    return fault !== 'transient' && fault !== 'unreachable';
  }
  await change(ctx, held, { claim: { ...claim, answered: true } }, `the job waits in ${waitPartition}`, [
    answered(ctx, intent, 'moved'),
  ]);
  return false;
}

/**
 * cancelling: Slurm has ended or requeued the attempt. The script had its SIGTERM through the stand-in; what still runs when KillWait
 * nears its end is killed. The attempt counts as over only by its kubelet's word or the cloud's.
 */
export async function cancel(ctx: BurstContext, burst: Burst): Promise<Next> {
  await connect(ctx, burst).catch(() => false);
  const keeper = ctx.streams.keeper(burst.id);
  const standin = ctx.streams.standinOf(burst.cluster, burst.jobId);
  const here = standin?.link === 'up' && standin.open.restart === burst.restarts;
  // A stand-in that only reconnects (to a gateway that has just started) still takes what is left of the output.
  const goneFor = ctx.clock.now() - (standin?.linkSince ?? burst.enteredAt);
  if (here) ctx.streams.couple(burst.id, standin.key);
  else if (goneFor > reconnectMs) ctx.streams.discard(burst.id);

  const due = burst.killBy ?? burst.enteredAt;
  const dead = !here || ctx.clock.now() >= due;
  if (keeper?.exit !== undefined && here && ctx.clock.now() < due) {
    // It ended by itself within KillWait: the stand-in ends the same way, as the script would have on-prem.
    if (keeper.drained) ctx.streams.finish(burst.id, keeper.exit.exit);
    if (!standin.bye) return after(Math.min(1_000, Math.max(100, due - ctx.clock.now())));
  }
  if (!dead) return after(Math.max(100, Math.min(1_000, due - ctx.clock.now())));
  if (keeper?.exit === undefined) {
    ctx.streams.signal(burst.id, `gkill-${burst.restarts}`, SIGKILL, 'all');
    await endPod(ctx, burst, 1);
  } else if (here && keeper.drained) ctx.streams.finish(burst.id, keeper.exit.exit);

  const pod = await lookAtPod(ctx, burst);
  if (pod.kind === 'alive') return after(1_000);
  if (pod.kind === 'unknown') {
    await troubled(ctx, burst, `Slurm has ended the job, and its pod's end is unknown: ${pod.why}`);
    return after(5_000);
  }
  if (burst.cause?.kind === 'requeued' && !(await holdBack(ctx, burst))) return after(1_000);
  const exit = keeper?.exit?.exit ?? (pod.pod === undefined ? undefined : exitOf(pod.pod)) ?? burst.exit;
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
