import { lacks } from '../decide/suits.ts';
import type { Burst, SavedJob } from '../domain/burst.ts';
import { hugepagesOf } from '../domain/devices.ts';
import { faultOf } from '../domain/fault.ts';
import type { JobDetail } from '../domain/job.ts';
import { nodesOf, ranksOf } from '../domain/ranks.ts';
import type { MoveSpec } from '../ports.ts';
import { asksOf, failing, markInWords, marksOf } from '../translate/index.ts';
import {
  after,
  answered,
  type BurstContext,
  change,
  intend,
  later,
  leave,
  leaveAbsent,
  type Next,
  now,
  settleMs,
  troubled,
  writeMs,
} from './context.ts';
import { launchFailed, letGoOrLeave } from './letgo.ts';
import { isHeld, look } from './look.ts';
import { lookAtEach, unseen } from './pod.ts';
import { connect } from './provision.ts';
import { leaveReclaimed } from './spot.ts';

/** Failed moves, each of which changed nothing, before the job is left where it is. */
const movesAtMost = 8;
/** A keeper that was ready and does not answer any more, before its burst is given up. */
const keeperMs = 10 * 60_000;

/**
 * ready → moving: the claim. The job is read once more, so that what its owner changed meanwhile is kept; then one move, made
 * only if Slurm still has it pending. Slurm itself decides the race with an on-prem start.
 */
export async function claim(ctx: BurstContext, burst: Burst): Promise<Next> {
  const sight = await look(ctx, burst);
  switch (sight.kind) {
    case 'absent':
      return leaveAbsent(ctx, burst);
    case 'ended':
      return leave(ctx, burst, { kind: 'job_ended', text: `the job is ${sight.state} before it was moved` });
    case 'requeued':
      return leave(ctx, burst, {
        kind: 'requeued',
        text: 'the job was requeued before this attempt was moved',
      });
    case 'running':
    case 'ending':
      if (sight.job.partition === ctx.setup.burstPartition) return placed(ctx, burst, sight.job);
      return leave(ctx, burst, {
        kind: 'started_onprem',
        text: `started on-prem in ${sight.job.partition} on ${sight.job.nodeList} in the moment of the move; left alone`,
      });
    case 'pending':
      break;
  }
  const { job } = sight;
  if (job.partition === ctx.setup.burstPartition) return placed(ctx, burst, job);
  const waits = await podWaits(ctx, burst);
  if (waits !== undefined) return waits;
  const marks = marksOf(job);
  if (marks === undefined) {
    await troubled(ctx, burst, "the job's record could not be read in full; looking again");
    return after(2_000);
  }
  if (launchFailed(job)) return letGoOrLeave(ctx, burst);
  const changed = ownersWord(ctx, burst, job);
  if (changed !== undefined) return leave(ctx, burst, { kind: 'owner_changed', text: changed });
  const waiting = job.partition === ctx.setup.waitPartition;
  const saved = waiting ? burst.saved : savedOf(job);
  const deadline = later(ctx.clock.now(), writeMs);
  const spec: MoveSpec = {
    partition: ctx.setup.burstPartition,
    timeLimitMs: job.timeLimitMs === 'partition' ? saved.timeLimitMs : job.timeLimitMs,
    minNodes: nodesOf(burst),
    maxNodes: nodesOf(burst),
    memory: saved.memory,
  };
  const intent = intend(ctx, burst, 'slurm.move', { ...spec }, deadline);
  const moving = await change(
    ctx,
    burst,
    {
      state: 'moving',
      saved,
      claim: { deadline, answered: false, times: (burst.claim?.times ?? 0) + 1 },
      trouble: undefined,
    },
    `claims the job: ${job.partition} → ${spec.partition}`,
    [{ kind: 'intent', intent }],
  );
  if (moving === undefined || moving.claim === undefined) return now;
  const settled = { ...moving.claim, answered: true };
  try {
    await ctx.slurm.move(burst.ref, spec, deadline);
    await change(ctx, moving, { claim: { ...settled, moved: true } }, 'Slurm made the move', [
      answered(ctx, intent, 'moved'),
    ]);
    return now;
  } catch (e) {
    switch (faultOf(e)) {
      case 'started': {
        const held = await change(ctx, moving, { claim: settled }, 'too late: the job has started', [
          answered(ctx, intent, 'started'),
        ]);
        return held === undefined
          ? now
          : leave(ctx, held, {
              kind: 'started_onprem',
              text: 'started on-prem in the moment of the move; Slurm refused the move and the job is left alone',
            });
      }
      case 'refused': {
        const text = `Slurm refused the move: ${(e as Error).message}`;
        const held = await change(ctx, moving, { claim: settled }, text, [answered(ctx, intent, 'refused')]);
        return held === undefined ? now : leave(ctx, held, { kind: 'move_refused', text });
      }
      case 'not_found':
      case 'transient':
      case 'unreachable': {
        // Nothing changed: back to ready, where the job is read again.
        const text = (e as Error).message;
        const ready = await change(ctx, moving, { state: 'ready', claim: settled }, text, [
          answered(ctx, intent, 'unchanged'),
        ]);
        if (ready === undefined) return now;
        if (settled.times >= movesAtMost)
          return leave(ctx, ready, {
            kind: 'move_refused',
            text: `the move failed ${settled.times} times: ${text}`,
          });
        await troubled(ctx, ready, `the move failed: ${text}`);
        return after(Math.min(30_000, 500 * 2 ** settled.times));
      }
      default:
        return after(1_000);
    }
  }
}

/** The pods must wait for the job, not the job for a pod: what became of them since they were ready is looked at in the moment of the move. */
async function podWaits(ctx: BurstContext, burst: Burst): Promise<Next | undefined> {
  const taken = await leaveReclaimed(ctx, burst, 'the job was moved');
  if (taken !== undefined) return taken;
  const pod = await lookAtEach(ctx, burst);
  if (pod.kind === 'over')
    return leave(ctx, burst, {
      kind: 'pod_failed',
      text: `its pod ended before the job was moved: ${pod.how}`,
    });
  if (pod.kind === 'unknown') {
    if (!(await unseen(ctx, burst, pod.why))) return after(5_000);
    return leave(ctx, burst, { kind: 'no_capacity', text: `nothing is known of its pod: ${pod.why}` });
  }
  if (burst.unknownSince !== undefined) {
    await change(ctx, burst, { unknownSince: undefined, trouble: undefined }, 'its pod is in sight again');
    return now;
  }
  if (!(await connect(ctx, burst)))
    return leave(ctx, burst, { kind: 'pod_failed', text: "the Secret with the keeper's key is gone" });
  const keepers = ranksOf(burst).map(({ rank }) => ctx.streams.keeper(burst.id, rank));
  const keeper = keepers.find((k) => k?.link !== 'up' || k.main !== 'ready');
  if (keeper === undefined && !keepers.includes(undefined)) return undefined;
  if (keeper?.main === 'refused')
    return leave(ctx, burst, {
      kind: 'pod_failed',
      text: `the pod refuses to run: ${keeper.mainFault ?? 'no reason given'}`,
    });
  if (ctx.clock.now() - burst.enteredAt > keeperMs)
    return leave(ctx, burst, {
      kind: 'pod_failed',
      text: `its keeper does not answer (${keeper?.fault ?? 'no fault told'})`,
    });
  return after(1_000);
}

/** moving: the answer may be lost. What Slurm shows decides; "not moved" counts only once the move can no longer happen. */
export async function confirmClaim(ctx: BurstContext, burst: Burst): Promise<Next> {
  const sight = await look(ctx, burst);
  switch (sight.kind) {
    case 'absent':
      return leaveAbsent(ctx, burst);
    case 'ended':
      return leave(ctx, burst, { kind: 'job_ended', text: `the job is ${sight.state}` });
    case 'requeued':
      return leave(ctx, burst, { kind: 'requeued', text: 'the job was requeued while it was moved' });
    case 'running':
    case 'ending':
      if (sight.job.partition === ctx.setup.burstPartition) return placed(ctx, burst, sight.job);
      return leave(ctx, burst, {
        kind: 'started_onprem',
        text: `started on-prem in ${sight.job.partition} on ${sight.job.nodeList} in the moment of the move; left alone`,
      });
    case 'pending':
      break;
  }
  if (sight.job.partition === ctx.setup.burstPartition) return placed(ctx, burst, sight.job);
  const open = burst.claim !== undefined && !burst.claim.answered;
  if (open && ctx.clock.now() < later(burst.claim.deadline, settleMs)) return after(2_000);
  if (burst.claim?.moved === true)
    return leave(ctx, burst, {
      kind: 'owner_changed',
      text: `the job was moved back to ${sight.job.partition} by somebody else`,
    });
  await change(ctx, burst, { state: 'ready' }, `the job is still in ${sight.job.partition}`);
  return after(500);
}

async function placed(ctx: BurstContext, burst: Burst, job: JobDetail): Promise<Next> {
  const claim = burst.claim === undefined ? undefined : { ...burst.claim, answered: true };
  await change(
    ctx,
    burst,
    { state: 'placed', jobId: job.id, claim, trouble: undefined },
    `Slurm has the job in ${job.partition} as ${job.id}`,
  );
  return now;
}

/** By so much Slurm's clock may be ahead of ours. */
const clocksApartMs = 60_000;

/** What the owner (or an admin) did since the decision that ends the wish to burst. */
export function ownersWord(ctx: BurstContext, burst: Burst, job: JobDetail): string | undefined {
  const home = [ctx.setup.explicit, ...ctx.setup.watch, ctx.setup.waitPartition];
  if (!job.partition.split(',').some((p) => home.includes(p)))
    return `its owner moved it to ${job.partition}`;
  if (isHeld(job)) return `the job is held (${job.reason})`;
  // A requeued attempt waits out its old credentials in waitPartition, and goes on by itself.
  const ahead = (job.eligibleAt ?? 0) - ctx.clock.now();
  if (job.partition !== ctx.setup.waitPartition && ahead > clocksApartMs)
    return `its owner wants it to begin in ${Math.ceil(ahead / 60_000)} minutes`;
  if (job.minNodes !== nodesOf(burst)) return `its owner asks for ${job.minNodes} nodes now`;
  if (job.requiredNodes) return `its owner asks for node ${job.requiredNodes} now`;
  if (job.reservation) return `its owner asks for reservation ${job.reservation} now`;
  if (job.dependency) return `it depends on other jobs now (${job.dependency})`;
  const longer = longerNow(burst, job);
  if (longer !== undefined) return longer;
  const { memory } = burst.saved;
  if (
    job.partition !== ctx.setup.waitPartition &&
    (memory.per !== job.memory.per || memory.mib !== job.memory.mib)
  )
    return `its owner changed its memory to ${job.memory.mib} MiB per ${job.memory.per}`;
  const devices = devicesNow(ctx, burst, job);
  if (devices !== undefined) return devices;
  const below = failing(marksOf(job) ?? [], ctx.translation ?? 'emulated');
  if (below.length > 0)
    return `it asks for what does not translate now: ${below.map((m) => `${markInWords(m)} (${m.why})`).join(', ')}`;
  return undefined;
}

/** What it holds was reckoned by the limit that it had then. */
function longerNow({ price, saved }: Burst, { timeLimitMs }: JobDetail): string | undefined {
  if (price === undefined || timeLimitMs === 'partition' || saved.timeLimitMs === 'unlimited')
    return undefined;
  if (timeLimitMs !== 'unlimited' && timeLimitMs <= saved.timeLimitMs) return undefined;
  const now = timeLimitMs === 'unlimited' ? 'none' : `${timeLimitMs / 60_000} min`;
  return `its time limit is ${now} now, and money is held for ${saved.timeLimitMs / 60_000} min`;
}

/** The pod that waits has what was asked for when it was made. */
function devicesNow(ctx: BurstContext, burst: Burst, job: JobDetail): string | undefined {
  // It is a run that was requeued, whose needs were read anew.
  if (job.partition === ctx.setup.waitPartition) return undefined;
  const group = ctx.group(burst.group) ?? {};
  const wanting = lacks(job, group);
  if (wanting !== undefined) return `its owner asks for ${wanting} now, which its node group has not`;
  const asks = asksOf(job, nodesOf(burst), group, hugepagesOf(burst.needs));
  if (asks.kind === 'untold') return `its owner asks for ${asks.why} now`;
  const { extended } = burst.needs;
  const names = new Set([...Object.keys(extended), ...Object.keys(asks.value.extended)]);
  const other = [...names].find((name) => (extended[name] ?? 0) !== (asks.value.extended[name] ?? 0));
  return other === undefined
    ? undefined
    : `its owner asks for ${asks.value.extended[other] ?? 0} ${other} now, and its pod has ${extended[other] ?? 0}`;
}

/** Everything that a claim overwrites. */
export function savedOf(job: JobDetail): SavedJob {
  return {
    partition: job.partition,
    timeLimitMs: job.timeLimitMs === 'partition' ? 'unlimited' : job.timeLimitMs,
    memory: job.memory,
    minNodes: job.minNodes,
    maxNodes: job.maxNodes,
    comment: job.comment,
    priority: job.priority,
    nice: job.nice,
  };
}
