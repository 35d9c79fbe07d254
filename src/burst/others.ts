/** Ranks 1 to n-1 of a job of several nodes: watched from before the script on, and ended after it. */
import type { Burst, Exit } from '../domain/burst.ts';
import { gatheredOf } from '../domain/data.ts';
import type { Rank } from '../domain/ranks.ts';
import type { BurstContext } from './context.ts';
import { endRank, lookAtRank, type PodSight } from './pod.ts';

const SIGTERM = 15;
const SIGKILL = 9;
/** Of a TERM main of such a rank ends at once; its keeper needs no longer. */
const graceSeconds = 5;
/** So long the job's end waits for them; what takes longer is awaited before the burst is settled. */
const endsMs = 30_000;
/** Longer than an API server takes to see that a node is silent: what is alive until then is alive. */
const stubbornMs = 120_000;

export interface Amiss {
  readonly of: Rank;
  /** Alive: its keeper says that its main has ended or refuses, and its kubelet is a moment behind. */
  readonly sight: PodSight;
}

/** The first whose keeper does not say that all is well, and what is known of its pod; undefined: all are well. */
export async function othersAmiss(ctx: BurstContext, burst: Burst): Promise<Amiss | undefined> {
  for (const of of burst.others ?? []) {
    const keeper = ctx.streams.keeper(burst.id, of.rank);
    const ended = keeper?.exit !== undefined || keeper?.main === 'refused';
    if (keeper?.link === 'up' && !ended) continue;
    const sight = await lookAtRank(ctx, of);
    if (sight.kind !== 'alive' || ended) return { of, sight };
  }
  return undefined;
}

/** The first that cannot be asked for what it has of the results: its pod is over, or out of sight. */
export async function othersGone(ctx: BurstContext, burst: Burst): Promise<Amiss | undefined> {
  for (const of of burst.others ?? []) {
    const { results, lost } = burst.data === undefined ? {} : gatheredOf(burst.data, of.rank);
    if (results !== undefined || lost !== undefined) continue;
    const keeper = ctx.streams.keeper(burst.id, of.rank);
    // One whose main is gone says so itself.
    if (keeper?.link === 'up') continue;
    const sight = await lookAtRank(ctx, of);
    if (sight.kind === 'unknown' || (sight.kind === 'over' && sight.all)) return { of, sight };
  }
  return undefined;
}

/** How the job ends for a rank that ended by itself, by its kubelet's word: as that did, and never well. */
export function failingBy({ rank }: Rank, exit: Exit): Exit {
  const reason = `rank ${rank} of the job: ${exit.reason ?? 'ended'}`;
  return exit.code === 0 ? { code: 1, reason: `${reason} while the script ran` } : { ...exit, reason };
}

/**
 * A rank whose main is gone is as a node that failed: no step could start there again, and a launcher would wait for it for ever or fail
 * in its own time. Slurm ends a job whose node fails; here the script hears it as Slurm's end of a job, TERM and after KillWait KILL, so
 * that it may still save what it has.
 */
export async function endScript(ctx: BurstContext, burst: Burst): Promise<void> {
  if (burst.broken === undefined) return;
  ctx.streams.signal(burst.id, `gbroken-term-${burst.restarts}`, SIGTERM, 'all');
  const { killWaitMs } = await ctx.facts();
  if (ctx.clock.now() - burst.broken.at >= killWaitMs)
    ctx.streams.signal(burst.id, `gbroken-kill-${burst.restarts}`, SIGKILL, 'all');
}

/** The script has ended: so do they. True once all of them are over, or have had their time. */
export async function othersOver(ctx: BurstContext, burst: Burst): Promise<boolean> {
  const waits = ctx.clock.now() - (burst.endedAt ?? burst.enteredAt) < endsMs;
  let over = true;
  for (const of of burst.others ?? []) {
    await endRank(ctx, of, graceSeconds);
    over &&= !waits || (await lookAtRank(ctx, of)).kind === 'over';
  }
  return over;
}

export type OthersEnd =
  | { readonly kind: 'over' | 'awaited' }
  | { readonly kind: 'lost'; readonly how: string }
  | { readonly kind: 'unseen'; readonly why: string };

/**
 * The same for a script that failed. A launcher hears sooner than anybody else that a machine is gone, and fails: then the job was lost, and its
 * exit says nothing. So each of the others must end by its kubelet's word before the script's word counts.
 */
export async function othersOfFailed(ctx: BurstContext, burst: Burst): Promise<OthersEnd> {
  let end: OthersEnd = { kind: 'over' };
  for (const of of burst.others ?? []) {
    await endRank(ctx, of, graceSeconds);
    const sight = await lookAtRank(ctx, of);
    if (sight.kind === 'unknown') end = { kind: 'unseen', why: `rank ${of.rank}: ${sight.why}` };
    else if (sight.kind === 'alive') end = end.kind === 'over' ? { kind: 'awaited' } : end;
    else if (sight.machineGone === true && sight.pod?.containers.main?.state !== 'terminated')
      return { kind: 'lost', how: `rank ${of.rank}: ${sight.how}, and the script failed` };
  }
  const late = ctx.clock.now() - (burst.endedAt ?? burst.enteredAt) >= stubbornMs;
  return end.kind === 'awaited' && late ? { kind: 'over' } : end;
}
