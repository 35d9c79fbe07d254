import type { Burst, Exit } from '../domain/burst.ts';
import type { PodView } from '../domain/kube.ts';
import { ranksOf } from '../domain/ranks.ts';
import type { KeeperView, StandinView } from '../stream/streams.ts';
import { after, type BurstContext, change, later, type Next, now, troubled } from './context.ts';
import { lostWithPod } from './disrupted.ts';
import { exitOf, lastWord, lostBy } from './ends.ts';
import { inPods, scriptsKnown } from './gather.ts';
import { look } from './look.ts';
import { returnForMemory } from './memory.ts';
import { endScript, failingBy, othersAmiss, othersGone, othersOfFailed, othersOver } from './others.ts';
import { lookAtPod, lookAtRank, unseen } from './pod.ts';
import { connect } from './provision.ts';
import { endMain, exitWith, resultsLeft, takeHome } from './results.ts';
import { endSpent } from './spent.ts';
import { watchReclaim } from './spot.ts';

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
  if (keeper !== undefined && neverStarted(keeper, ctx.clock.now()))
    return lostFor(ctx, burst, 'its keeper waits for a start that was never given');
  const taken = await watchReclaim(ctx, burst);
  if (taken !== undefined) return taken;
  const spent = await endSpent(ctx, burst);
  if (spent !== undefined) return spent;
  const broken = await watchOthers(ctx, burst);
  if (broken !== undefined) return broken;
  if (keeper?.link !== 'up') {
    const lost = await withoutKeeper(ctx, burst, keeper);
    if (lost !== undefined) return lost;
  } else if (burst.broken !== undefined) {
    return after(1_000);
  } else if (standin?.link === 'up' && (burst.trouble ?? burst.unknownSince ?? burst.absent) !== undefined) {
    await change(
      ctx,
      burst,
      { trouble: undefined, unknownSince: undefined, absent: undefined },
      'all is in sight again',
    );
  }
  return after(keeper?.link !== 'up' || standin?.termAt !== undefined ? 5_000 : 20_000);
}

/**
 * A keeper that has a grant says so right after each hello. A gateway that took stock while this one was silent may have found the other ranks started
 * and taken the script for running too.
 */
function neverStarted({ link, linkSince, main, started }: KeeperView, at: number): boolean {
  return link === 'up' && main === 'ready' && started === undefined && at - linkSince > 30_000;
}

/** draining: the exit is committed; what was written must reach the stand-in, which then ends the same way. */
export async function drain(ctx: BurstContext, burst: Burst): Promise<Next> {
  await connect(ctx, burst);
  const standin = couple(ctx, burst);
  const over = await slurmEnds(ctx, burst, standin);
  if (over !== undefined) return over;
  const keeper = ctx.streams.keeper(burst.id);
  if (standin?.bye === true) return report(ctx, burst, keeper);
  // What the others have of its results is asked for before they are ended.
  const waits = inPods(burst) ? await othersThere(ctx, burst) : await awaitOthers(ctx, burst);
  if (waits !== undefined) return waits;
  if (keeper?.link === 'up' && burst.unknownSince !== undefined) {
    // Results may take long: what was out of sight once is not out of sight since then.
    await change(ctx, burst, { unknownSince: undefined, trouble: undefined }, 'its keeper is there again');
    return now;
  }
  // Without a keeper nothing can be gathered: what became of its pod is looked at below.
  if (keeper?.link === 'up' || scriptsKnown(burst)) {
    const carried = await takeHome(ctx, burst, true);
    if (carried !== undefined) return carried;
  }
  // All output may be here and the results not yet in the store: then it is not over.
  if (keeper?.drained === true && standin?.link === 'up' && !resultsLeft(burst)) {
    const exit = burst.exit ?? { lost: true };
    const last = await kubeletsWord(ctx, burst, exit);
    if (last === undefined) return after(300);
    if (last !== exit) {
      await change(ctx, burst, { exit: last }, `its kubelet says: ${last.reason}`);
      return now;
    }
    const taken = await lostWithPod(ctx, burst, exit, standin);
    if (taken !== undefined) return taken === 'waits' ? after(500) : lostNow(ctx, burst, taken.how);
    const back = await returnForMemory(ctx, burst, exit);
    if (back !== undefined) return back;
    const owed = exitWith(burst, exit);
    if (owed !== exit) {
      await change(ctx, burst, { exit: owed }, `it does not end well: ${owed.reason}`);
      return now;
    }
    ctx.streams.finish(burst.id, exit);
    return after(1_000);
  }
  if (keeper?.link !== 'up') {
    const sight = await lookAtPod(ctx, burst);
    if (sight.kind === 'over' && sight.all) {
      // The keeper died with its spool: what it had not sent yet is lost, and is said so. So is what lay in its pod.
      const what = keeper?.drained === true ? 'its results were in the store' : 'all output was sent';
      const reason = `the keeper ended before ${what} (${sight.how})`;
      return lostFor(ctx, burst, reason);
    }
    if (sight.kind === 'unknown' && (await unseen(ctx, burst, sight.why)))
      return lostSight(ctx, burst, sight.why);
  }
  return after(3_000);
}

/** A rank above 0 that is gone with what it has of the results, or out of sight; the attempt is run again. */
async function othersThere(ctx: BurstContext, burst: Burst): Promise<Next | undefined> {
  const amiss = burst.broken === undefined ? await othersGone(ctx, burst) : undefined;
  if (amiss === undefined) return undefined;
  const { of, sight } = amiss;
  const name = `rank ${of.rank}`;
  if (sight.kind === 'unknown')
    return (await unseen(ctx, burst, `${name}: ${sight.why}`))
      ? lostSight(ctx, burst, `${name}: ${sight.why}`)
      : after(3_000);
  const how = sight.kind === 'over' ? sight.how : 'it ended';
  return lostFor(ctx, burst, `${name} ended before its results were in the store (${how})`);
}

async function awaitOthers(ctx: BurstContext, burst: Burst): Promise<Next | undefined> {
  endMain(ctx, burst);
  // What a rank that ended by itself makes of the job is known already.
  const failed = burst.exit?.code !== 0 && burst.broken === undefined;
  if (!failed) return (await othersOver(ctx, burst)) ? undefined : after(1_000);
  const end = await othersOfFailed(ctx, burst);
  switch (end.kind) {
    case 'over':
      return undefined;
    case 'awaited':
      return after(1_000);
    case 'lost':
      return lostNow(ctx, burst, end.how);
    case 'unseen':
      return (await unseen(ctx, burst, end.why)) ? lostSight(ctx, burst, end.why) : after(3_000);
  }
}

/** A kubelet tells within a second how a container ended; one that is silent is not waited for. */
const kubeletMs = 10_000;

async function kubeletsWord(ctx: BurstContext, burst: Burst, exit: Exit): Promise<Exit | undefined> {
  const pod = burst.pod === undefined ? undefined : await ctx.kubernetes.pod(burst.pod.ref);
  const last = lastWord(exit, pod);
  if (last !== undefined) return last;
  return ctx.clock.now() - (burst.endedAt ?? burst.enteredAt) < kubeletMs ? undefined : exit;
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
      if (sight.kind !== 'unknown') return after(500);
      return (await unseen(ctx, burst, sight.why)) ? lostSight(ctx, burst, sight.why) : after(5_000);
    }
    exit = told;
  }
  if (burst.broken !== undefined) exit = burst.broken.exit;
  await change(
    ctx,
    burst,
    {
      ...{ state: 'draining', exit, usage: keeper.exit.usage, endedAt: ctx.clock.now() },
      ...{ trouble: undefined, unknownSince: undefined },
    },
    `the script ended: ${inWords(exit)}`,
  );
  return now;
}

/** Lost; what becomes of the job lose.ts says, once every pod is known to be over. */
export async function lostFor(ctx: BurstContext, burst: Burst, reason: string, why = reason): Promise<Next> {
  const endedAt = burst.endedAt ?? ctx.clock.now();
  const ranks = await Promise.all(ranksOf(burst).map((of) => lookAtRank(ctx, of)));
  const exit = { lost: true, reason };
  await change(ctx, burst, { state: 'lost', exit, lostBy: lostBy(ranks), endedAt }, why);
  return now;
}

export const lostNow = (ctx: BurstContext, burst: Burst, how: string): Promise<Next> =>
  lostFor(ctx, burst, how, `its pod is over: ${how}`);

/** Nothing was known of the pod for too long: its instance will be terminated before anything else happens. */
export const lostSight = (ctx: BurstContext, burst: Burst, why: string): Promise<Next> =>
  lostFor(ctx, burst, `nothing was known of its pod for too long: ${why}`);

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
      return absent(ctx, burst);
    default: {
      if (standin?.bye === true && burst.state === 'draining') return undefined;
      // A script that ends by itself within KillWait ends as it would on-prem; a margin is kept for the way to the pod.
      const margin = Math.min(2_000, killWaitMs / 3);
      const killBy = silent || told === undefined ? ctx.clock.now() : later(told, killWaitMs - margin);
      const what = sight.kind === 'ended' ? sight.state : sight.kind === 'requeued' ? 'requeued' : sight.kind;
      const cause =
        sight.kind === 'requeued' || sight.kind === 'pending'
          ? { kind: 'requeued' as const, text: requeuedBecause(burst) }
          : burst.cause;
      await change(ctx, burst, { state: 'cancelling', killBy, cause }, `Slurm ends the attempt: ${what}`);
      return now;
    }
  }
}

function requeuedBecause({ cause, reclaimedAt, stays }: Burst): string {
  if (stays !== undefined) return stays;
  if (reclaimedAt !== undefined) return 'Slurm requeued the job: the cloud takes its spot instance back';
  return cause?.kind === 'no_budget' ? cause.text : 'Slurm requeued the job';
}

/** So often, and over so long, both daemons must have answered without knowing the job before it counts as vanished. */
const absentLooks = 3;
const vanishedMs = 5 * 60_000;

/** Neither daemon knows the job. slurmdbd lags and slurmctld may have lost its state: one such look is no word. */
export async function absent(ctx: BurstContext, burst: Burst): Promise<Next> {
  const at = ctx.clock.now();
  const seen = burst.absent ?? { since: at, looks: 0 };
  const text = 'neither slurmctld nor slurmdbd know the job; its pod goes on until they do';
  if (seen.looks + 1 >= absentLooks && at - seen.since >= vanishedMs) {
    await change(
      ctx,
      burst,
      { state: 'vanished' },
      `in ${seen.looks + 1} good looks neither daemon knew the job`,
    );
    return now;
  }
  if (burst.trouble?.text !== text) ctx.log({ level: 'warn', text, burst: burst.id, job: burst.ref });
  await change(
    ctx,
    burst,
    { absent: { ...seen, looks: seen.looks + 1 }, trouble: { since: burst.trouble?.since ?? at, text } },
    text,
  );
  return after(30_000);
}

/** vanished: looked at for as long again; a job that is back goes on, one that stays away has nobody to run for. */
export async function seek(ctx: BurstContext, burst: Burst): Promise<Next> {
  const sight = await look(ctx, burst);
  switch (sight.kind) {
    case 'running':
    case 'pending':
      await change(
        ctx,
        burst,
        { state: 'running', absent: undefined, trouble: undefined },
        'Slurm knows the job again',
      );
      return now;
    case 'absent': {
      const text = 'the job has vanished from Slurm: its pod is stopped unless it comes back';
      await troubled(ctx, burst, text);
      if (ctx.clock.now() - burst.enteredAt < vanishedMs) return after(30_000);
      await change(
        ctx,
        burst,
        { state: 'cancelling', killBy: ctx.clock.now() },
        'it stayed away; its pod is stopped',
      );
      return now;
    }
    case 'ending':
    case 'ended':
    case 'requeued': {
      const cause =
        sight.kind === 'requeued'
          ? { kind: 'requeued' as const, text: 'Slurm requeued the job' }
          : burst.cause;
      await change(
        ctx,
        burst,
        { state: 'cancelling', killBy: ctx.clock.now(), cause },
        `Slurm ends the attempt: ${sight.kind}`,
      );
      return now;
    }
  }
}

/** Ranks above 0 while the script runs: one that used up its memory ends the job, one that is gone otherwise or out of sight loses the attempt. */
async function watchOthers(ctx: BurstContext, burst: Burst): Promise<Next | undefined> {
  if (burst.broken !== undefined) {
    await endScript(ctx, burst);
    return undefined;
  }
  const amiss = await othersAmiss(ctx, burst);
  if (amiss === undefined) return undefined;
  const { of, sight } = amiss;
  const name = `rank ${of.rank}`;
  if (sight.kind === 'alive') return after(500);
  if (sight.kind === 'unknown') {
    const why = `${name}: ${sight.why}`;
    const text = `${why}; no second run starts before its instance is known to be terminated`;
    return (await unseen(ctx, burst, text)) ? lostSight(ctx, burst, why) : after(5_000);
  }
  const told = sight.pod === undefined || sight.machineGone ? undefined : exitOf(sight.pod);
  if (told === undefined || !forMemory(sight.pod)) return lostNow(ctx, burst, `${name}: ${sight.how}`);
  const at = ctx.clock.now();
  const text = `${name} ended while the script ran (${sight.how}): the script is told to end`;
  ctx.log({ level: 'warn', text, burst: burst.id, job: burst.ref });
  await change(ctx, burst, { broken: { at, exit: failingBy(of, told) }, trouble: { since: at, text } }, text);
  return now;
}

/**
 * Main of a rank above 0 runs until it is told to end, so what ends it is its memory, which is the job's own doing, or somebody else: an eviction,
 * a drain, a machine that shuts down. Its exit does not tell these apart, and the words on the pod may come after it.
 */
function forMemory(pod: PodView | undefined): boolean {
  const main = pod?.containers.main;
  return main?.state === 'terminated' && main.reason === 'OOMKilled';
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
      if (
        await unseen(
          ctx,
          burst,
          `${sight.why}; no second run starts before its instance is known to be terminated`,
        )
      )
        return lostSight(ctx, burst, sight.why);
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
