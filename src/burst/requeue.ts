import type { Burst } from '../domain/burst.ts';
import { type Fault, faultOf } from '../domain/fault.ts';
import type { JobDetail } from '../domain/job.ts';
import { nodesOf } from '../domain/ranks.ts';
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
  writeMs,
} from './context.ts';

/** Nothing was asked, or nothing came of it: it may be asked for once more. */
export const unchanged: ReadonlySet<Fault> = new Set(['transient', 'unreachable', 'throttled']);

/** How often Slurm may be asked, where no answer ever came: a gateway that died between intent and effect has not asked at all. */
const mostAsked = 2;

/**
 * One requeue, by the run's own number: a second one would kill the run that follows. An answer that was lost is waited out, until the
 * far side would drop what was asked for; if the run is still this one then, nothing came of it, and it is asked for once more.
 * Undefined: it is not, or no longer, to be requeued.
 *
 * @param job as Slurm shows it now
 */
export async function requeueOnce(
  ctx: BurstContext,
  burst: Burst,
  job: JobDetail,
): Promise<Next | undefined> {
  const { requeue } = burst;
  if (requeue !== undefined) {
    if (!requeue.answered && ctx.clock.now() < later(requeue.deadline, settleMs)) return after(2_000);
    if (requeue.answered || requeue.times === mostAsked || job.restarts !== burst.restarts) return undefined;
  }
  const times = requeue === undefined ? undefined : mostAsked;
  if (!job.requeue) return undefined;
  const standin = ctx.streams.standinOf(burst.cluster, burst.jobId);
  if (standin?.link !== 'up' || standin.open.restart !== burst.restarts || standin.bye) return undefined;
  const deadline = later(ctx.clock.now(), writeMs);
  const intent = intend(ctx, burst, 'slurm.requeue', { restarts: burst.restarts }, deadline);
  const held = await change(
    ctx,
    burst,
    { requeue: { deadline, answered: false, times } },
    `asks Slurm to requeue run ${burst.restarts}${times === undefined ? '' : ' once more: nothing came of it'}`,
    [{ kind: 'intent', intent }],
  );
  if (held === undefined) return now;
  try {
    await ctx.slurm.requeue(burst.ref, burst.restarts, deadline);
    await change(ctx, held, { requeue: { deadline, answered: true, times } }, 'Slurm requeues it', [
      answered(ctx, intent, 'requeued'),
    ]);
  } catch (e) {
    const fault = faultOf(e);
    if (fault === undefined) throw e;
    if (fault === 'unknown') return after(2_000);
    const text = `not requeued: ${(e as Error).message}`;
    if (unchanged.has(fault)) {
      // Nothing was done, so the run may be asked for once more: given up here, a job that may run again would end as lost.
      await change(ctx, held, { requeue: undefined }, text, [answered(ctx, intent, fault)]);
      return after(5_000);
    }
    await change(ctx, held, { requeue: { deadline, answered: true, times } }, text, [
      answered(ctx, intent, fault),
    ]);
  }
  return after(500);
}

/**
 * A requeued job lies in the burst partition, and Slurm would start it there: it is held back in the wait partition, which is DOWN,
 * until the next attempt has its capacity. False while the move's answer is open.
 */
export async function holdBack(ctx: BurstContext, burst: Burst): Promise<boolean> {
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
    minNodes: nodesOf(burst),
    maxNodes: nodesOf(burst),
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
