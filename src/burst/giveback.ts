import type { Burst, BurstState, Cause } from '../domain/burst.ts';
import { faultOf } from '../domain/fault.ts';
import type { JobDetail } from '../domain/job.ts';
import { withRanks } from '../domain/ranks.ts';
import type { MoveSpec } from '../ports.ts';
import { comment } from './comment.ts';
import {
  after,
  answered,
  type BurstContext,
  change,
  freed,
  intend,
  later,
  type Next,
  never,
  now,
  outcome,
  settleMs,
  troubled,
  writeMs,
} from './context.ts';
import { launchFailed, letGo } from './letgo.ts';
import { look } from './look.ts';
import { forgotten, lookAtEach } from './pod.ts';
import { holdBack, requeueOnce } from './requeue.ts';

/**
 * returning: undoes what was done before the grant, in this order: the job goes back to its partition as it was, pod and key
 * go, the instance is free again. Nothing of the user's has run.
 */
export async function giveBack(ctx: BurstContext, burst: Burst): Promise<Next> {
  const claim = burst.claim;
  // A move whose answer was lost may still happen: a contrary write waits until it cannot.
  if (claim !== undefined && !claim.answered && ctx.clock.now() < later(claim.deadline, settleMs))
    return after(2_000);
  const sight = await look(ctx, burst);
  switch (sight.kind) {
    case 'absent':
      if (claim !== undefined) {
        await troubled(
          ctx,
          burst,
          'neither slurmctld nor slurmdbd know the job that is to be given back; looking again',
        );
        if (ctx.clock.now() - burst.enteredAt < 120_000) return after(10_000);
      }
      return close(ctx, burst, 'withdrawn');
    case 'ended':
      return close(ctx, burst, 'withdrawn');
    case 'requeued':
      return (await holdBack(ctx, burst)) ? close(ctx, burst, 'requeued') : after(1_000);
    case 'ending':
      return after(2_000);
    case 'running':
      return sight.job.partition === ctx.setup.burstPartition
        ? runningInBurst(ctx, burst, sight.job)
        : close(ctx, burst, 'started_onprem');
    case 'pending':
      if (sight.job.partition === ctx.setup.burstPartition || sight.job.partition === ctx.setup.waitPartition)
        return moveBack(ctx, burst, sight.job);
      // At home it is let go: before, Slurm would start it with us once more.
      if (launchFailed(sight.job)) return freedFirst(ctx, burst);
      return close(ctx, burst, burst.cause?.kind === 'owner_changed' ? 'withdrawn' : 'returned');
  }
}

/** It may take until an admin lets it go, and nothing is paid so long: pods and key go first, and the instances are free. */
async function freedFirst(ctx: BurstContext, burst: Burst): Promise<Next> {
  if (burst.pod === undefined && burst.instance === undefined) return letGo(ctx, burst);
  ctx.streams.release(burst.id);
  if (!(await forgotten(ctx, burst))) return after(1_500);
  const unbound = withRanks(burst, () => ({ instance: undefined, pod: undefined }));
  if ((await change(ctx, burst, unbound, 'its pods are gone, its instances are free')) !== undefined)
    freed(ctx, burst);
  return now;
}

async function moveBack(ctx: BurstContext, burst: Burst, job: JobDetail): Promise<Next> {
  const { saved } = burst;
  const deadline = later(ctx.clock.now(), writeMs);
  const spec: MoveSpec = {
    partition: saved.partition,
    // A limit that the owner changed while the job was with us is the owner's word and stays.
    timeLimitMs: job.timeLimitMs === 'partition' ? saved.timeLimitMs : job.timeLimitMs,
    minNodes: saved.minNodes,
    maxNodes: saved.maxNodes,
    memory: saved.memory,
  };
  const intent = intend(ctx, burst, 'slurm.move', { ...spec }, deadline);
  const held = await change(
    ctx,
    burst,
    { claim: { deadline, answered: false, times: burst.claim?.times ?? 0 } },
    `gives the job back: ${job.partition} → ${spec.partition}`,
    [{ kind: 'intent', intent }],
  );
  if (held === undefined || held.claim === undefined) return now;
  const settled = { ...held.claim, answered: true };
  try {
    await ctx.slurm.move(burst.ref, spec, deadline);
    await change(ctx, held, { claim: settled }, 'Slurm made the move back', [answered(ctx, intent, 'moved')]);
    return now;
  } catch (e) {
    const fault = faultOf(e);
    if (fault === undefined) throw e;
    if (fault === 'unknown') return after(2_000);
    await change(ctx, held, { claim: settled }, `not moved back: ${(e as Error).message}`, [
      answered(ctx, intent, fault),
    ]);
    if (fault === 'refused' || fault === 'transient')
      await troubled(
        ctx,
        burst,
        `Slurm refuses to take job ${burst.ref} back to ${spec.partition}: ${(e as Error).message}; an admin must move it`,
      );
    return after(fault === 'refused' ? 30_000 : fault === 'transient' ? 5_000 : 1_500);
  }
}

/** Slurm started it in burst before it could go back: requeued it is held back and tried anew; else it ends there, with a line for its owner. */
async function runningInBurst(ctx: BurstContext, burst: Burst, job: JobDetail): Promise<Next> {
  // Late, but well: its pods still wait, so there is nothing to give back.
  if (burst.cause?.kind === 'no_standin' && (await lookAtEach(ctx, burst)).kind === 'alive') {
    const claim = burst.claim === undefined ? undefined : { ...burst.claim, answered: true };
    await change(
      ctx,
      burst,
      { state: 'placed', jobId: job.id, claim, cause: undefined, trouble: undefined },
      'Slurm started it after all',
    );
    return now;
  }
  const asked = await requeueOnce(ctx, burst, job);
  if (asked !== undefined) return asked;
  const standin = ctx.streams.standinOf(burst.cluster, job.id);
  if (standin?.link === 'up')
    ctx.streams.refuse(
      standin.key,
      `spillway: this job cannot run in the cloud: ${burst.cause?.text ?? 'it was given back'}`,
      1,
    );
  return after(2_000);
}

/** What its owner can do something about. */
const told: ReadonlySet<Cause['kind']> = new Set(['pod_failed', 'image_failed', 'image_unsigned']);

async function close(ctx: BurstContext, burst: Burst, state: BurstState): Promise<Next> {
  ctx.streams.release(burst.id);
  if (!(await forgotten(ctx, burst))) return after(1_500);
  const text = burst.cause?.text ?? 'no reason on record';
  if (state === 'returned' && burst.cause !== undefined && told.has(burst.cause.kind))
    await comment(ctx, burst, `not run in the cloud: ${text}`);
  const words = {
    returned: `given back: ${text}`,
    started_onprem: text,
    withdrawn: `not burst: ${text}`,
    requeued: text,
  }[state as 'returned' | 'started_onprem' | 'withdrawn' | 'requeued'];
  await change(ctx, burst, { state, trouble: undefined }, words, [
    { kind: 'receipt', receipt: outcome(ctx, burst, state === 'returned' ? 'wait' : 'never', words) },
  ]);
  freed(ctx, burst);
  return never;
}
