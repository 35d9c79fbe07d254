import type { Burst, Exit } from '../domain/burst.ts';
import type { PodView } from '../domain/kube.ts';
import type { KeeperView, StandinView } from '../stream/streams.ts';
import { after, type BurstContext, change, later, type Next, now, troubled } from './context.ts';
import { look } from './look.ts';
import { lookAtPod } from './pod.ts';
import { connect } from './provision.ts';

/** A broken stream is ridden out this long before anybody is told. */
const patienceMs = 45_000;

/** running: output flows by itself; the step looks for the end, on either side. */
export async function run(ctx: BurstContext, burst: Burst): Promise<Next> {
  await connect(ctx, burst);
  const keeper = ctx.streams.keeper(burst.id);
  const standin = couple(ctx, burst);
  const over = await slurmEnds(ctx, burst, standin);
  if (over !== undefined) return over;
  if (keeper?.exit !== undefined) return ended(ctx, burst, keeper);
  if (keeper?.link !== 'up') {
    const lost = await withoutKeeper(ctx, burst, keeper);
    if (lost !== undefined) return lost;
  } else if (burst.trouble !== undefined && standin?.link === 'up') {
    await change(ctx, burst, { trouble: undefined }, 'all is in sight again');
  }
  return after(keeper?.link !== 'up' || standin?.termAt !== undefined ? 5_000 : 20_000);
}

/** draining: the exit is committed; what was written must reach the stand-in, which then ends the same way. */
export async function drain(ctx: BurstContext, burst: Burst): Promise<Next> {
  await connect(ctx, burst);
  const standin = couple(ctx, burst);
  const over = await slurmEnds(ctx, burst, standin);
  if (over !== undefined) return over;
  const keeper = ctx.streams.keeper(burst.id);
  if (standin?.bye === true) return report(ctx, burst, keeper);
  if (keeper?.drained === true && standin?.link === 'up') {
    ctx.streams.finish(burst.id, burst.exit ?? { lost: true });
    return after(1_000);
  }
  if (keeper?.link !== 'up') {
    const sight = await lookAtPod(ctx, burst);
    if (sight.kind === 'over' && sight.all) {
      // The keeper died with its spool: what it had not sent yet is lost, and is said so.
      const reason = `the keeper ended before all output was sent (${sight.how})`;
      await change(ctx, burst, { state: 'lost', exit: { lost: true, reason } }, reason);
      return now;
    }
  }
  return after(3_000);
}

function couple(ctx: BurstContext, burst: Burst): StandinView | undefined {
  const standin = ctx.streams.standinOf(burst.cluster, burst.jobId);
  if (standin === undefined || standin.link !== 'up' || standin.open.restart !== burst.restarts)
    return standin;
  if (standin.peer.uid === burst.uid) ctx.streams.couple(burst.id, standin.key);
  return standin;
}

async function report(ctx: BurstContext, burst: Burst, keeper: KeeperView | undefined): Promise<Next> {
  await change(
    ctx,
    burst,
    { state: 'reported', dropped: keeper?.dropped ?? burst.dropped, trouble: undefined },
    'the stand-in has it all and ends',
  );
  return now;
}

async function ended(ctx: BurstContext, burst: Burst, keeper: KeeperView): Promise<Next> {
  if (keeper.exit === undefined) return after(1_000);
  let exit: Exit = keeper.exit.exit;
  if (exit.lost === true) {
    const pod = burst.pod === undefined ? undefined : await ctx.kubernetes.pod(burst.pod.ref);
    const told = pod === undefined ? undefined : exitOf(pod);
    // The kubelet is a moment behind the keeper; it is asked until its word is in.
    if (told === undefined) {
      const sight = await lookAtPod(ctx, burst);
      if (sight.kind === 'over' && sight.all) return lostNow(ctx, burst, sight.how);
      if (sight.kind === 'unknown') await troubled(ctx, burst, `unknown: ${sight.why}`);
      return after(sight.kind === 'unknown' ? 5_000 : 500);
    }
    exit = told;
  }
  await change(
    ctx,
    burst,
    { state: 'draining', exit, usage: keeper.exit.usage, endedAt: ctx.clock.now(), trouble: undefined },
    `the script ended: ${inWords(exit)}`,
  );
  return now;
}

async function lostNow(ctx: BurstContext, burst: Burst, how: string): Promise<Next> {
  await change(
    ctx,
    burst,
    { state: 'lost', exit: { lost: true, reason: how }, endedAt: ctx.clock.now() },
    `its pod is over: ${how}`,
  );
  return now;
}

/** From containerStatuses, when process 1 of main could not report itself. 128 + n is the runtime's way to write signal n. */
export function exitOf(pod: PodView): Exit | undefined {
  const main = pod.containers.main;
  if (main?.state !== 'terminated') return undefined;
  if (main.reason === 'OOMKilled')
    return { signal: 9, reason: 'OOMKilled: the job used more memory than it asked for' };
  const signal =
    main.signal > 0 ? main.signal : main.exitCode > 128 && main.exitCode <= 192 ? main.exitCode - 128 : 0;
  return signal > 0 ? { signal, reason: main.reason } : { code: main.exitCode, reason: main.reason };
}

export function inWords(exit: Exit): string {
  if (exit.lost === true) return `lost (${exit.reason ?? 'no reason known'})`;
  return exit.signal === undefined ? `exit ${exit.code}` : `signal ${exit.signal}`;
}

/**
 * Slurm ends the attempt (scancel, time limit, node down, requeue). Asked when something points that way: the stand-in was told to
 * end, or is gone, or the queue was seen to say so.
 */
async function slurmEnds(
  ctx: BurstContext,
  burst: Burst,
  standin: StandinView | undefined,
): Promise<Next | undefined> {
  const told = standin?.termAt;
  const silent = standin === undefined || standin.link === 'gone';
  const hinted = ctx.hint(burst) !== 'RUNNING';
  if (told === undefined && !silent && !hinted) return undefined;
  const sight = await look(ctx, burst);
  const { killWaitMs } = await ctx.facts();
  switch (sight.kind) {
    case 'running':
      if (silent && ctx.clock.now() - (standin?.linkSince ?? burst.enteredAt) > patienceMs)
        await troubled(
          ctx,
          burst,
          `its stand-in on ${sight.job.nodeList} is not connected; the pod's output is held for it`,
        );
      // A TERM that Slurm did not mean as an end (preemption with grace, a user's own): the run goes on.
      return silent ? after(3_000) : undefined;
    case 'absent':
      await troubled(
        ctx,
        burst,
        'neither slurmctld nor slurmdbd know the job; its pod goes on until they do',
      );
      return after(10_000);
    default: {
      if (standin?.bye === true && burst.state === 'draining') return undefined;
      // A script that ends by itself within KillWait ends as it would on-prem; a margin is kept for the way to the pod.
      const margin = Math.min(2_000, killWaitMs / 3);
      const killBy = silent || told === undefined ? ctx.clock.now() : later(told, killWaitMs - margin);
      const what = sight.kind === 'ended' ? sight.state : sight.kind === 'requeued' ? 'requeued' : sight.kind;
      const cause =
        sight.kind === 'requeued' || sight.kind === 'pending'
          ? { kind: 'requeued' as const, text: 'Slurm requeued the job' }
          : burst.cause;
      await change(ctx, burst, { state: 'cancelling', killBy, cause }, `Slurm ends the attempt: ${what}`);
      return now;
    }
  }
}

/** No stream to the keeper: look at the pod, and never take silence for an end. */
async function withoutKeeper(
  ctx: BurstContext,
  burst: Burst,
  keeper: KeeperView | undefined,
): Promise<Next | undefined> {
  const sight = await lookAtPod(ctx, burst);
  switch (sight.kind) {
    case 'over':
      // With the keeper alive its own word comes; without it nothing more will.
      if (!sight.all) return after(1_500);
      return lostNow(ctx, burst, sight.how);
    case 'unknown':
      await troubled(
        ctx,
        burst,
        `unknown: ${sight.why}; no second run starts before its instance is known to be terminated`,
      );
      return after(5_000);
    case 'alive':
      if (keeper !== undefined && ctx.clock.now() - keeper.linkSince > patienceMs)
        await troubled(
          ctx,
          burst,
          `no stream to the keeper (${keeper.fault ?? 'no fault told'}); trying again`,
        );
      return undefined;
  }
}
