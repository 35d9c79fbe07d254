import type { Burst } from '../domain/burst.ts';
import { faultOf } from '../domain/fault.ts';
import { nodesOf, ranksOf, withRanks } from '../domain/ranks.ts';
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
import { outOfMemory } from './ends.ts';
import { look } from './look.ts';
import { endPod, forgotten } from './pod.ts';
import { clearResults, giveUp, resultsLeft } from './results.ts';
import { inWords } from './run.ts';

/** How long slurmdbd may lag before a job's annotation is given up. */
const annotateMs = 10 * 60_000;

/** reported → final: the stand-in has ended, so Slurm must show a final state; a requeue in this moment is seen here too. */
export async function confirmEnd(ctx: BurstContext, burst: Burst): Promise<Next> {
  const sight = await look(ctx, burst);
  switch (sight.kind) {
    case 'ended':
      ctx.streams.bye(burst.id);
      await change(
        ctx,
        burst,
        { state: 'final' },
        `Slurm: ${sight.state} ${sight.exit.code}:${sight.exit.signal}`,
      );
      return now;
    case 'requeued':
      ctx.streams.bye(burst.id);
      await change(
        ctx,
        burst,
        { state: 'requeueing', cause: { kind: 'requeued', text: 'Slurm requeued the job' } },
        'requeued after its end',
      );
      return now;
    case 'absent':
      await troubled(ctx, burst, 'neither slurmctld nor slurmdbd show the end of the job; looking again');
      return after(10_000);
    default:
      return after(1_000);
  }
}

/** final → settled: pod and key are forgotten, the job's record says what it used. */
export async function settle(ctx: BurstContext, burst: Burst): Promise<Next> {
  const sight = await look(ctx, burst);
  if (sight.kind !== 'ended' && sight.kind !== 'absent' && sight.kind !== 'requeued') return after(1_000);
  // Whatever way it came here: results that are not home are spoken of.
  // A stand-in ends well only where they are: that is no news to anybody but an older store.
  const home = sight.kind === 'ended' && sight.state === 'COMPLETED';
  if (sight.kind !== 'requeued' && !home && resultsLeft(burst))
    return giveUp(ctx, burst, 'its pod was over before they were here');
  const held = await cleared(ctx, burst);
  if (held === undefined) return after(1_500);
  if (sight.kind === 'ended' && !(await annotated(ctx, held))) return after(3_000);
  if (sight.kind === 'ended' && burst.exit?.reason === outOfMemory) await comment(ctx, burst, outOfMemory);
  await clearResults(ctx, burst);
  const state = sight.kind === 'ended' ? sight.state : sight.kind;
  const kept = burst.data?.kept === undefined ? '' : `; ${burst.data.kept}`;
  const words = `ran in the cloud: ${burst.exit === undefined ? 'no exit known' : inWords(burst.exit)}; Slurm says ${state}${kept}`;
  await change(ctx, held, { state: 'settled', trouble: undefined }, words, [
    { kind: 'receipt', receipt: outcome(ctx, held, 'burst', words) },
  ]);
  freed(ctx, burst);
  return never;
}

/**
 * The keepers may end, then pods, Secret and streams go, and the instance is free: what is left to say to slurmdbd holds no money.
 * Undefined until all of it is gone.
 */
export async function cleared(ctx: BurstContext, burst: Burst): Promise<Burst | undefined> {
  const pods = ranksOf(burst).flatMap(({ pod }) => pod?.ref.name ?? []);
  if (pods.length === 0) return burst;
  ctx.streams.bye(burst.id);
  await endPod(ctx, burst, 2);
  if (!(await forgotten(ctx, burst))) return undefined;
  ctx.streams.release(burst.id);
  const gone = withRanks(burst, () => ({ pod: undefined }));
  const words = pods.length === 1 ? `pod ${pods[0]} is gone` : `pods ${pods.join(', ')} are gone`;
  const held = await change(ctx, burst, gone, words);
  if (held !== undefined) freed(ctx, burst);
  return held;
}

/** `spillway:v1;k=v;…`: no quotes, no JSON, lower case, since slurmdbd 22.05 changes all else. */
export function annotation(burst: Burst, cloudId: string | undefined): string {
  const seconds =
    burst.startedAt === undefined
      ? 0
      : Math.max(0, Math.round(((burst.endedAt ?? burst.startedAt) - burst.startedAt) / 1000));
  const fields: Record<string, string | number | undefined> = {
    burst: burst.id,
    instance: cloudId,
    group: burst.group,
    nodes: nodesOf(burst) === 1 ? undefined : nodesOf(burst),
    seconds,
    maxrss: burst.usage?.maxRssBytes,
    usercpums: burst.usage?.userMs,
    syscpums: burst.usage?.systemMs,
    dropped: burst.dropped > 0 ? burst.dropped : undefined,
    lost: burst.exit?.lost === true ? 1 : undefined,
    oom: burst.exit?.reason === outOfMemory ? 1 : undefined,
  };
  const text = Object.entries(fields)
    .filter(([, v]) => v !== undefined)
    .map(([k, v]) => `${k}=${v}`);
  return ['spillway:v1', ...text].join(';');
}

export async function annotated(ctx: BurstContext, burst: Burst): Promise<boolean> {
  const instance = burst.instance === undefined ? undefined : await ctx.store.instance(burst.instance);
  try {
    await ctx.slurm.annotate(burst.ref, annotation(burst, instance?.cloudId));
    return true;
  } catch (e) {
    const fault = faultOf(e);
    const tired = ctx.clock.now() - burst.enteredAt > annotateMs;
    if (fault === undefined) throw e;
    if (!tired && fault !== 'refused') return false;
    ctx.log({
      level: 'warn',
      text: `no AdminComment on job ${burst.ref}: ${(e as Error).message}`,
      burst: burst.id,
    });
    return true;
  }
}

/** requeueing → requeued: the job waits in burst_wait, and the attempt after this one is the cycle's to begin. */
export async function requeue(ctx: BurstContext, burst: Burst): Promise<Next> {
  const held = await cleared(ctx, burst);
  if (held === undefined) return after(1_500);
  const words = 'this run is over and its pod confirmed gone; Slurm has requeued the job';
  await change(ctx, held, { state: 'requeued', trouble: undefined }, words, [
    { kind: 'receipt', receipt: outcome(ctx, held, 'burst', words) },
  ]);
  freed(ctx, burst);
  return never;
}
