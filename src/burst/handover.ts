import type { Burst, Grant } from '../domain/burst.ts';
import { pathsOf } from '../domain/data.ts';
import type { Instant } from '../domain/ids.ts';
import type { JobDetail } from '../domain/job.ts';
import { ranksOf } from '../domain/ranks.ts';
import type { StandinView, StartSpec } from '../stream/streams.ts';
import { homeNote, startFor, stepsWarning, teamOf } from '../translate/index.ts';
import {
  after,
  type BurstContext,
  change,
  later,
  leave,
  leaveAbsent,
  type Next,
  now,
  standinMs,
  troubled,
} from './context.ts';
import { bring } from './data.ts';
import { launchFailed, letGoOrLeave } from './letgo.ts';
import { look } from './look.ts';
import { othersAmiss } from './others.ts';
import { lookAtEach, lookAtPod, unseen } from './pod.ts';
import { connect } from './provision.ts';
import { lostFor, lostNow, lostSight } from './run.ts';
import { leaveReclaimed, reclaimedOf } from './spot.ts';
import { submittedScript } from './submitted.ts';

/** The stand-in's call wakes the step; Slurm is asked only for what ends the wait otherwise. */
const pollMs = 10_000;
/** A stand-in waits this long for a pod that was there and does not answer. */
const attachedMs = 10 * 60_000;

/** placed → attached: Slurm starts the job on a virtual node, whose stand-in calls. */
export async function awaitStandin(ctx: BurstContext, burst: Burst): Promise<Next> {
  const broken = await podBroken(ctx, burst);
  const standin = ctx.streams.standinOf(burst.cluster, burst.jobId);
  if (standin !== undefined && standin.link === 'up') {
    const other = await otherRun(ctx, burst, standin);
    if (other !== undefined) return other;
    if (standin.open.restart === burst.restarts) {
      if (broken !== undefined) return leave(ctx, burst, { kind: 'pod_failed', text: broken });
      const wrong = mismatch(burst, standin) ?? (await foreignGroups(ctx, burst, standin));
      if (wrong !== undefined) return refuse(ctx, burst, standin, wrong);
      const data = burst.data && { ...burst.data, since: burst.data.since ?? ctx.clock.now() };
      await change(
        ctx,
        burst,
        { state: 'attached', trouble: undefined, ...(data === undefined ? {} : { data }) },
        `its stand-in called from ${standin.peer.host}`,
      );
      return now;
    }
  }
  const sight = await look(ctx, burst);
  switch (sight.kind) {
    case 'pending': {
      if (sight.job.partition !== ctx.setup.burstPartition)
        return leave(ctx, burst, {
          kind: 'owner_changed',
          text: `its owner moved it to ${sight.job.partition}`,
        });
      if (broken !== undefined) return leave(ctx, burst, { kind: 'pod_failed', text: broken });
      if (launchFailed(sight.job)) return letGoOrLeave(ctx, burst);
      // After a node failure Slurm itself holds a job back for a while; the wait counts from then.
      if (sight.job.reason.startsWith('BeginTime')) return after(5_000);
      if (ctx.clock.now() - Math.max(burst.enteredAt, sight.job.eligibleAt ?? 0) > standinMs)
        return leave(ctx, burst, {
          kind: 'no_standin',
          text: `Slurm did not start it in ${ctx.setup.burstPartition} within ${standinMs / 1000} s (${sight.job.reason})`,
        });
      return after(pollMs);
    }
    case 'running':
      if (sight.job.partition !== ctx.setup.burstPartition)
        return leave(ctx, burst, {
          kind: 'started_onprem',
          text: `started on-prem in ${sight.job.partition}; left alone`,
        });
      if (ctx.clock.now() - burst.enteredAt > standinMs)
        await troubled(
          ctx,
          burst,
          `the job runs on ${sight.job.nodeList} but its stand-in has not called: is the relay there up and can it reach this gateway?`,
        );
      return after(pollMs);
    case 'ending':
      return after(2_000);
    case 'ended':
      return leave(ctx, burst, {
        kind: 'job_ended',
        text: `the job is ${sight.state} before its stand-in called`,
      });
    case 'requeued':
      return leave(ctx, burst, {
        kind: 'requeued',
        text: 'Slurm requeued the job before its stand-in called',
      });
    case 'absent':
      return leaveAbsent(ctx, burst);
  }
}

/** attached → granted: script and environment go over to the keeper, then the one start grant is committed. */
export async function grant(ctx: BurstContext, burst: Burst): Promise<Next> {
  const standin = ctx.streams.standinOf(burst.cluster, burst.jobId);
  if (standin === undefined || standin.link === 'gone') {
    await change(ctx, burst, { state: 'placed' }, 'its stand-in is gone before the start');
    return after(1_000);
  }
  const other = await otherRun(ctx, burst, standin);
  if (other !== undefined) return other;
  const wrong = mismatch(burst, standin);
  if (wrong !== undefined) return refuse(ctx, burst, standin, wrong);
  const broken = await podBroken(ctx, burst);
  if (broken !== undefined) return leave(ctx, burst, { kind: 'pod_failed', text: broken });
  const taken = await takenBack(ctx, burst);
  if (taken !== undefined) return taken;
  await connect(ctx, burst);
  ctx.streams.couple(burst.id, standin.key);
  const keeper = ctx.streams.keeper(burst.id);
  const silent = otherSilent(ctx, burst);
  if (keeper === undefined || !keeper.inputComplete || silent !== undefined) {
    // Carrying takes what it takes; the keeper's silence counts from when it was heard.
    const heard = burst.data === undefined || keeper?.everUp !== true ? 0 : keeper.linkSince;
    const waited = ctx.clock.now() - Math.max(burst.enteredAt, heard);
    const text =
      silent ?? `the pod does not take the script (${keeper?.fault ?? 'no connection to its keeper'})`;
    if (waited > attachedMs) return leave(ctx, burst, { kind: 'pod_failed', text });
    if (waited > 60_000) await troubled(ctx, burst, text);
    return after(1_000);
  }
  const bringing = await bring(ctx, burst, standin, keeper);
  if (bringing !== undefined) return bringing;
  if (burst.pod?.uid === undefined || burst.others?.some(({ pod }) => pod?.uid === undefined) === true)
    return leave(ctx, burst, { kind: 'pod_failed', text: 'the pod has no uid on record' });
  const given: Grant = {
    burst: burst.id,
    attempt: burst.attempt,
    podUid: burst.pod.uid,
    epoch: ctx.epoch(),
    generation: ctx.generation,
  };
  await change(ctx, burst, { state: 'granted', grant: given, trouble: undefined }, 'start granted');
  return now;
}

/** Begun on an instance that is taken back, it would only be cut off. One that may not be requeued has no better chance than the time that is left. */
async function takenBack(ctx: BurstContext, burst: Burst): Promise<Next | undefined> {
  if ((await reclaimedOf(ctx, burst)) === undefined) return undefined;
  const job = await ctx.slurm.job(burst.ref);
  return job?.requeue === false ? undefined : leaveReclaimed(ctx, burst, 'its script was started');
}

/**
 * granted → running: the grant goes to the keepers, each of which starts once however often it hears it. Ranks above 0 first: when the
 * script begins, its launcher finds them there.
 */
export async function start(ctx: BurstContext, burst: Burst): Promise<Next> {
  await connect(ctx, burst);
  const keeper = ctx.streams.keeper(burst.id);
  const standin = ctx.streams.standinOf(burst.cluster, burst.jobId);
  if (keeper?.started !== undefined || keeper?.exit !== undefined) {
    await change(
      ctx,
      burst,
      {
        ...{ state: 'running', startedAt: keeper.started?.at ?? ctx.clock.now() },
        ...{ trouble: undefined, unknownSince: undefined },
      },
      // Which home a user has, the name service tells, and only with its stand-in.
      [`the script runs in ${burst.pod?.ref.name}`, homeNote(standin?.peer.home, ctx.pods.mounts)]
        .filter((word) => word !== undefined)
        .join('; '),
    );
    return now;
  }
  if (keeper?.link !== 'up') {
    const pod = await lookAtPod(ctx, burst);
    if (pod.kind === 'over' && pod.all) {
      await change(
        ctx,
        burst,
        { state: 'running' },
        `its pod is over before the start was confirmed: ${pod.how}`,
      );
      return now;
    }
    if (
      pod.kind === 'unknown' &&
      (await unseen(ctx, burst, `${pod.why}; whether the script began is not known`))
    )
      return lostSight(ctx, burst, pod.why);
  } else if (keeper.main === 'refused' || keeper.fault?.startsWith('already_granted') === true) {
    const why = keeper.mainFault ?? keeper.fault ?? 'no reason given';
    // The keeper's word that nothing was started, and the kubelet's that nothing will be.
    if (keeper.main === 'refused' && (await lookAtPod(ctx, burst)).kind === 'over')
      return lostFor(ctx, burst, `its pod ended before the script began: ${why}`);
    await troubled(ctx, burst, `the pod does not start: ${why}`);
  }
  const amiss = await beforeScript(ctx, burst);
  if (amiss !== undefined) return amiss;
  if (standin?.link === 'up' && standin.open.restart === burst.restarts) {
    ctx.streams.couple(burst.id, standin.key);
    const stuck = otherStuck(ctx, burst);
    if (stuck !== undefined) return lostFor(ctx, burst, stuck);
    if (
      keeper !== undefined &&
      burst.grant !== undefined &&
      !(await startAll(ctx, burst, burst.grant, standin))
    )
      return after(1_000);
    // STARTED wakes the step; the question is only repeated for what was lost on the way.
    return after(10_000);
  }
  const sight = await look(ctx, burst);
  if (sight.kind === 'ended' || sight.kind === 'ending' || sight.kind === 'requeued') {
    await change(
      ctx,
      burst,
      { state: 'cancelling', killBy: ctx.clock.now() },
      `the job is ${sight.kind} for Slurm before its start was confirmed`,
    );
    return now;
  }
  return after(2_000);
}

/** A rank above 0 that is over or out of sight, and what follows from it; the script has not begun. */
async function beforeScript(ctx: BurstContext, burst: Burst): Promise<Next | undefined> {
  const amiss = await othersAmiss(ctx, burst);
  if (amiss === undefined) return undefined;
  const { of, sight } = amiss;
  const name = `rank ${of.rank}`;
  if (sight.kind === 'over') return lostNow(ctx, burst, `${name}, before the script began: ${sight.how}`);
  if (sight.kind === 'alive') return after(1_000);
  const text = `${name}: ${sight.why}; the script has not begun`;
  return (await unseen(ctx, burst, text)) ? lostSight(ctx, burst, `${name}: ${sight.why}`) : after(5_000);
}

/** A rank above 0 whose keeper is not there to be started, in words. */
function otherSilent(ctx: BurstContext, burst: Burst): string | undefined {
  for (const { rank } of burst.others ?? []) {
    const keeper = ctx.streams.keeper(burst.id, rank);
    if (keeper?.link === 'up' && keeper.main === 'ready') continue;
    return `rank ${rank} is not ready (${keeper?.fault ?? 'no connection to its keeper'})`;
  }
  return undefined;
}

/**
 * A rank above 0 that will not be started any more, though its pod is there: its keeper has another grant, or cannot keep one. The script has
 * not begun, and never would.
 */
function otherStuck(ctx: BurstContext, burst: Burst): string | undefined {
  const late = ctx.clock.now() - burst.enteredAt > attachedMs;
  for (const { rank } of burst.others ?? []) {
    const keeper = ctx.streams.keeper(burst.id, rank);
    if (keeper?.started?.grant.attempt === burst.attempt) continue;
    const fault = keeper?.fault ?? 'no word of its keeper';
    if (fault.startsWith('already_granted')) return `rank ${rank} was started by another grant: ${fault}`;
    if (late) return `rank ${rank} did not start in ${attachedMs / 60_000} minutes (${fault})`;
  }
  return undefined;
}

/** Where each pod runs and how the others reach it, by rank; undefined while a pod's address is not to be seen. */
async function whereabouts(
  ctx: BurstContext,
  burst: Burst,
): Promise<readonly { readonly node: string; readonly address: string }[] | undefined> {
  const found: { readonly node: string; readonly address: string }[] = [];
  for (const { instance: id, pod } of ranksOf(burst)) {
    const instance = id === undefined ? undefined : await ctx.store.instance(id);
    const view = pod === undefined ? undefined : await ctx.kubernetes.pod(pod.ref);
    if (view?.podIp === undefined) return undefined;
    found.push({ node: instance?.node ?? view.node ?? 'node', address: view.podIp });
  }
  return found;
}

/** START to ranks above 0, and to rank 0 once all of those said STARTED. False: a pod's address is not known yet. */
async function startAll(
  ctx: BurstContext,
  burst: Burst,
  given: Grant,
  standin: StandinView,
): Promise<boolean> {
  const where = await whereabouts(ctx, burst);
  if (where === undefined) {
    await troubled(ctx, burst, 'the API server shows no address of a pod yet');
    return false;
  }
  const specFor = await startSpecs(ctx, burst, given, standin, where);
  let left = false;
  for (const { rank, pod } of burst.others ?? []) {
    const keeper = ctx.streams.keeper(burst.id, rank);
    if (pod?.uid === undefined || keeper?.started?.grant.attempt === given.attempt) continue;
    ctx.streams.start(burst.id, specFor(rank, pod.uid));
    left = true;
  }
  if (!left) ctx.streams.start(burst.id, specFor(0, given.podUid));
  return true;
}

/** The same for every rank but for its pod's uid, its place in the team, and its environment. */
async function startSpecs(
  ctx: BurstContext,
  burst: Burst,
  given: Grant,
  { open, peer }: StandinView,
  where: readonly { readonly node: string; readonly address: string }[],
): Promise<(rank: number, podUid: string) => StartSpec> {
  const facts = await ctx.facts();
  const job = await ctx.slurm.job(burst.ref);
  const limit = job?.timeLimitMs;
  const from = job?.startAt ?? ctx.clock.now();
  const nodes = where.map(({ node }) => node);
  const warn = await warningOf(ctx, job, from);
  return (rank, podUid) => ({
    grant: { ...given, podUid },
    argv: open.argv,
    cwd: open.cwd,
    umask: open.umask,
    limits: open.limits,
    join: open.join,
    env: startFor({ burst, nodes, rank, devices: ctx.group(burst.group)?.devices }),
    groups: peer.groups.map((g) => g.gid),
    names: Object.fromEntries(peer.groups.map((g) => [`${g.gid}`, g.name])),
    user: { uid: peer.uid, gid: peer.gid, user: peer.user, home: peer.home, shell: peer.shell },
    team: teamOf(rank, where),
    // Slurm looks at limits every 30 s and ends the job itself; the keeper's own limit is for a gateway that stays away.
    endsAt: typeof limit === 'number' ? later(from, limit + facts.killWaitMs + 120_000) : undefined,
    killAfterMs: facts.killWaitMs,
    ...(rank === 0 && warn !== undefined ? { warn } : {}),
    ...(pathsOf(burst.data, 'out').length > 0 ? { stays: true } : {}),
    ...(open.calls === true ? { calls: true } : {}),
  });
}

/** slurmctld signals the steps that it knows, and those of a job in a pod it does not. */
async function warningOf(
  ctx: BurstContext,
  job: JobDetail | undefined,
  from: Instant,
): Promise<StartSpec['warn'] | undefined> {
  const limit = job?.timeLimitMs;
  if (job === undefined || typeof limit !== 'number') return undefined;
  const script = await submittedScript(ctx.slurm, job);
  const warning = script === undefined ? undefined : stepsWarning(script);
  if (warning === undefined) return undefined;
  return { signo: warning.signo, atMs: later(from, Math.max(0, limit - warning.beforeMs)) };
}

/** A stand-in of a later run waits for a burst of its own; one of an earlier run has nothing to run any more. */
async function otherRun(ctx: BurstContext, burst: Burst, standin: StandinView): Promise<Next | undefined> {
  if (standin.open.restart > burst.restarts) {
    ctx.streams.wait(standin.key, 'capacity for this run is being prepared');
    return leave(ctx, burst, { kind: 'requeued', text: 'Slurm requeued the job before this run began' });
  }
  if (standin.open.restart < burst.restarts)
    ctx.streams.refuse(standin.key, `spillway: run ${standin.open.restart} of this job is over`, 1);
  return undefined;
}

/** The peer is who the relay's kernel says it is; it must be the job's own user, in this very attempt. */
function mismatch(burst: Burst, { peer }: StandinView): string | undefined {
  if (peer.uid !== burst.uid) return `job ${burst.jobId} belongs to uid ${burst.uid}, not to uid ${peer.uid}`;
  if (peer.gid !== burst.gid)
    return `job ${burst.jobId} has group ${burst.gid}, its stand-in group ${peer.gid}`;
  return undefined;
}

/** The pod has the groups of the tenant's record; the name service's word on the burst host must be the same. */
async function foreignGroups(
  ctx: BurstContext,
  burst: Burst,
  { peer }: StandinView,
): Promise<string | undefined> {
  const tenant = await ctx.kubernetes.tenant(burst.uid);
  if (tenant === undefined) return `no tenant namespace for uid ${burst.uid}`;
  const sorted = (gids: readonly number[]): string =>
    [...new Set([...gids, burst.gid])].sort((a, b) => a - b).join(',');
  const [here, there] = [sorted(peer.groups.map((g) => g.gid)), sorted(tenant.gids)];
  if (here === there) return undefined;
  return `groups ${here} on the burst host, ${there} in the tenant's record; an admin must bring them together`;
}

async function podBroken(ctx: BurstContext, burst: Burst): Promise<string | undefined> {
  const pod = await lookAtEach(ctx, burst);
  if (pod.kind === 'over') return `its pod ended before the start: ${pod.how}`;
  const keepers = ranksOf(burst).map(({ rank }) => ctx.streams.keeper(burst.id, rank));
  const keeper = keepers.find((k) => k?.main === 'refused');
  return keeper === undefined
    ? undefined
    : `the pod refuses to run: ${keeper.mainFault ?? 'no reason given'}`;
}

async function refuse(ctx: BurstContext, burst: Burst, standin: StandinView, why: string): Promise<Next> {
  ctx.streams.refuse(standin.key, `spillway: this job cannot run in the cloud: ${why}`, 1);
  return leave(ctx, burst, { kind: 'pod_failed', text: why });
}
