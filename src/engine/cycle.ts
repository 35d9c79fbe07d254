import { quoteOf, quoteUntil } from '../burst/quote.ts';
import type { Choice } from '../decide/choose.ts';
import { inWords } from '../decide/decide.ts';
import { fittingTypes } from '../decide/group.ts';
import { decideOn } from '../decide/look.ts';
import { Purse } from '../decide/purse.ts';
import { Climb } from '../decide/ramp-day.ts';
import { returnedFor, returnedOf } from '../decide/returned.ts';
import { backOff, leftAlone } from '../decide/rules/backoff.ts';
import { staleAfterMs } from '../decide/sight.ts';
import { standOf } from '../decide/spot.ts';
import type { Burst, Cause } from '../domain/burst.ts';
import type { Decision, Receipt } from '../domain/decision.ts';
import { hugepagesOf } from '../domain/devices.ts';
import { faultOf, PortError } from '../domain/fault.ts';
import { attemptKey, type Instant, instant, type JobRef, jobKey } from '../domain/ids.ts';
import type { Job, JobDetail, Snapshot } from '../domain/job.ts';
import { plus } from '../domain/resources.ts';
import type { Write } from '../ports.ts';
import { asksOf, keeperNeeds, needsOf } from '../translate/index.ts';
import { homeward, strays } from './adopt.ts';
import { basisOf } from './basis.ts';
import { barredFrom, type Sees } from './choose.ts';
import type { Cluster, Held } from './context.ts';
import { judgeInFull } from './full.ts';
import { givenFor } from './given.ts';
import { carriedFor, imageFor, sizesOf } from './image.ts';
import { memoOf } from './memo.ts';
import type { Means } from './money.ts';
import { observed } from './observed.ts';
import { burstOf, type ImageSought, receiptOf, shapeOf } from './propose.ts';
import { spentBudgets } from './spent.ts';

/** How long a job that came back a while ago is not looked at in full again. */
const leftAloneMs = 5 * 60_000;
/** What its script says of a job's data is read again after that, if it is still there. */
const carriesMs = 3_600_000;
const receiptsAtOnce = 200;
const unclaimed = new Set<Burst['state']>(['proposed', 'approved', 'reserved', 'provisioning', 'ready']);

/**
 * One turn of one cluster. Ideally: look once, decide for every pending job, write every decision, begin every burst. Departures: an
 * unchanged decision is counted beside the chain instead of written; a job that the full look found wanting is not asked about again
 * for five minutes; of an array only the first tasks are looked at.
 */
export async function turn(engine: Cluster): Promise<void> {
  const { ports, settings } = engine;
  // What is not reckoned anew in this turn ends nobody's job.
  engine.spent = new Map();
  // Before the queue is looked at: a stop must not wait for a Slurm that does not answer.
  const stop = await ports.store.stopped(engine.name);
  if (stop !== undefined) await wakeUnclaimed(engine);
  const snapshot = await snapshotOf(engine);
  const live = await ports.store.liveBursts(engine.name);
  await wakeChanged(engine, live);
  engine.spent = await spentBudgets(engine, live, ports.clock.now());
  for (const id of engine.spent.keys()) await ports.wake.wake(id);
  if (settings.setup.mode !== 'observe') await adoptStrays(engine, snapshot, live);

  // The cloud has not told its types yet: nothing can be said of a job's chances.
  if (engine.offered.length === 0) return;
  const at = ports.clock.now();
  for (const memos of [engine.examined, engine.carries])
    for (const [memo, { until }] of memos) if (until <= at) memos.delete(memo);
  const { look, counted, drained } = await givenFor(engine, snapshot, live, stop, at);
  const { budgets, ramp } = look;
  const { decided, readyIn, carrying } = decideOn(engine.foresight, look);
  const sees: Sees = { snapshot, readyIn, carrying, counted, drained };
  engine.sees = sees;
  const { notebook } = engine;
  await notebook.open(
    decided.map((d) => d.job.ref),
    engine.epoch,
  );
  const fresh: Receipt[] = [];
  const note = (job: Job, decision: Decision, choice?: Choice): void => {
    if (!notebook.again(job.ref, attemptOf(engine, job), decision, at))
      fresh.push(receiptFor(engine, job, decision, sees, at, choice));
  };
  // What is left once each job is known in full, which may be less than its line let hope for.
  const purse = new Purse(budgets);
  const climb = ramp && new Climb(ramp);
  const means: Means = { policy: look.policy, purse, climb, several: engine.offered.length > 1 };
  const staleAt = snapshot.at + staleAfterMs(settings.setup, settings.policy);
  let away: unknown;
  for (const { job, decision } of decided) {
    if (decision.verdict !== 'burst') {
      note(job, decision);
      continue;
    }
    if (settings.setup.mode === 'observe') {
      const seen = observed(engine, job, decision, sees, means);
      note(job, seen.decision, seen.choice);
      continue;
    }
    // Beginning the ones before it took so long that nothing may be begun on this look any more: the next one decides.
    if (ports.clock.now() > staleAt) continue;
    try {
      const refused = await begin(engine, job, decision, sees, purse, climb);
      if (refused !== undefined) note(job, refused);
    } catch (e) {
      // One job that cannot be read must not keep the others waiting; a port that is away ends the turn.
      const fault = faultOf(e);
      if (fault === undefined || fault === 'unreachable' || fault === 'stale') {
        away = e;
        break;
      }
      ports.log({ level: 'warn', text: `job ${job.ref}: ${(e as Error).message}`, cluster: engine.name });
    }
  }
  // What was decided before a port was found to be away is written all the same.
  try {
    for (let i = 0; i < fresh.length; i += receiptsAtOnce) {
      const some = fresh.slice(i, i + receiptsAtOnce);
      const writes = some.map((receipt): Write => ({ kind: 'receipt', receipt }));
      const written = await ports.store.commit(ports.entropy.uuid(), engine.name, engine.epoch, writes);
      if (written === 'ok') notebook.wrote(some);
    }
  } catch (e) {
    notebook.forget();
    throw e;
  }
  await notebook.tell(at);
  const errors = engine.foresight.found();
  try {
    if (errors.length > 0) await ports.store.addForecastErrors(engine.name, errors);
  } catch (e) {
    const text = `${errors.length} errors of forecasts are not kept: ${(e as Error).message}`;
    ports.log({ level: 'warn', text, cluster: engine.name });
  }
  if (away !== undefined) throw away;
}

async function snapshotOf(engine: Cluster): Promise<Snapshot> {
  const { clock } = engine.ports;
  const began = clock.now();
  try {
    engine.snapshot = await engine.settings.slurm.snapshot();
    return engine.snapshot;
  } finally {
    engine.lookTookMs = Math.max(0, clock.now() - began);
  }
}

/** `choice`: of the job in full; by its line's word if left out. */
function receiptFor(
  engine: Cluster,
  job: Job,
  decision: Decision,
  sees: Sees,
  at: Instant,
  choice?: Choice,
): Receipt {
  const { setup } = engine.settings;
  const basis = basisOf(engine, job, decision, sees, choice);
  const group = basis.offer?.group ?? decision.group;
  const receipt = receiptOf(
    engine.ports.entropy.uuid(),
    setup,
    job,
    jobKey(setup.name, job.ref, job.submitAt),
    group === decision.group ? decision : { ...decision, group },
    sees.snapshot.at,
    at,
    undefined,
  );
  return { ...receipt, basis };
}

const attemptOf = (engine: Cluster, job: Job): Receipt['attempt'] =>
  attemptKey(jobKey(engine.name, job.ref, job.submitAt), job.restarts);

/** Reads the job in full and begins its burst; answers the decision that stands instead if it may not. */
async function begin(
  engine: Cluster,
  line: Job,
  decision: Decision,
  sees: Sees,
  purse: Purse,
  climb: Climb | undefined,
): Promise<Decision | undefined> {
  const { ports, settings } = engine;
  const at = ports.clock.now();
  const job = await settings.slurm.job(line.ref);
  // Started or ended since the look at the queue; the next look says what it is now.
  if (job === undefined || job.state !== 'PENDING') return undefined;
  // All of its history: of a busy site the newest bursts are not all. What was found so takes no place from others meanwhile.
  const earlier = await ports.store.burstsOfJob(engine.name, job.ref);
  const returned = returnedFor(job, returnedOf(earlier));
  const alone = leftAlone({ returned, now: at, policy: settings.policy, setup: settings.setup });
  if (!alone.pass) {
    const because = decision.because.map((r) => (r.rule === backOff.name ? { ...r, ...alone } : r));
    const waits: Decision = { verdict: 'wait', because, group: undefined };
    engine.examined.set(memoOf(line), { until: instant(at + leftAloneMs), because: waits });
    return waits;
  }
  const tenant = await ports.kubernetes.tenant(job.uid);
  const image = await imageFor(engine, job);
  // Whoever was judged without what its script says of its data is judged with it at the next look.
  if (learned(engine, line, image, sees)) return undefined;
  const reclaims = reclaimsOf(job, earlier);
  const full = judgeInFull(engine, decision, job, { tenant, image, reclaims }, sees, purse, climb);
  if (!full.yes) {
    if (full.forMs !== undefined)
      engine.examined.set(memoOf(line), { until: instant(at + full.forMs), because: full.decision });
    return full.decision;
  }
  const { choice, cost } = full;
  const receipt = receiptFor(engine, job, full.decision, sees, at, choice);
  const burst = burstOf({
    id: ports.entropy.uuid(),
    setup: settings.setup,
    job,
    origin: 'decision',
    group: full.group,
    needs: full.needs,
    image: image.kind === 'image' ? { name: image.image, from: image.from } : undefined,
    data: carriedFor(image, settings.pods.staging),
    receipt: receipt.id,
    at,
    before: undefined,
    capacityType: choice?.taken.capacityType,
    reclaims,
    signal: image.kind === 'image' ? image.signal : undefined,
    quote:
      settings.setup.mode === 'approve'
        ? quoteOf(
            job,
            inWords(full.decision),
            cost.kind === 'known' ? cost.price.held : undefined,
            quoteUntil(at, settings.policy.quoteMs),
          )
        : undefined,
  });
  const written = await ports.store.commit(ports.entropy.uuid(), engine.name, engine.epoch, [
    { kind: 'receipt', receipt: { ...receipt, burst: burst.id, text: inWords(full.decision) } },
    { kind: 'burst', burst, why: inWords(full.decision) },
  ]);
  if (written === 'ok') {
    engine.notebook.wrote([receipt]);
    if (cost.kind === 'known') purse.take(job, cost.price.held);
    climb?.take(cost);
    ports.log({
      level: 'info',
      text: inWords(full.decision),
      job: job.ref,
      burst: burst.id,
      cluster: engine.name,
    });
    await ports.wake.wake(burst.id);
  }
  return undefined;
}

/** Notes how much the script says that is carried; whether that is not what the job was judged by. */
function learned(engine: Cluster, line: Job, image: ImageSought, sees: Sees): boolean {
  if (engine.settings.pods.staging === undefined || image.kind !== 'image') return false;
  const memo = memoOf(line);
  const before = engine.carries.get(memo)?.sizes;
  const sizes = sizesOf(image);
  engine.carries.set(memo, { until: instant(engine.ports.clock.now() + carriesMs), sizes });
  if (before !== undefined) return before.inBytes !== sizes.inBytes || before.outBytes !== sizes.outBytes;
  return sizes.inBytes + sizes.outBytes > 0 || sees.carrying(line) !== undefined;
}

/** How often the cloud took back what was to run this job, or ran it. Not of another job that had its id before. */
const reclaimsOf = (job: JobDetail, earlier: readonly Burst[]): number =>
  earlier.filter(
    ({ uid, restarts, submitAt, reclaimedAt }) =>
      reclaimedAt !== undefined &&
      uid === job.uid &&
      (restarts < job.restarts || (restarts === job.restarts && submitAt === job.submitAt)),
  ).length;

/** Bursting is stopped: whoever has not claimed a job yet gives it up now [burst/halt.ts]. */
async function wakeUnclaimed(engine: Cluster): Promise<void> {
  for (const b of await engine.ports.store.liveBursts(engine.name))
    if (unclaimed.has(b.state)) await engine.ports.wake.wake(b.id);
}

/** Bursts whose job the queue shows in another state than the burst believes. */
async function wakeChanged(engine: Cluster, live: readonly Burst[]): Promise<void> {
  const ctx = engine.burstContext();
  for (const b of live) {
    const hint = ctx.hint(b);
    const runs = b.state === 'running' || b.state === 'draining' || b.state === 'granted';
    if (runs ? hint !== 'RUNNING' : hint !== 'PENDING') await engine.ports.wake.wake(b.id);
  }
}

/** From world to store: jobs in our partitions that no live burst explains. */
async function adoptStrays(engine: Cluster, snapshot: Snapshot, live: readonly Burst[]): Promise<void> {
  const { setup, slurm } = engine.settings;
  const held = new Map<JobRef, Held>();
  for (const line of strays(snapshot.jobs, [setup.burstPartition, setup.waitPartition], live)) {
    const earlier = [
      ...(await engine.ports.store.burstsOfJob(engine.name, line.ref)),
      ...(await engine.ports.store.burstsOfJob(engine.name, line.id)),
    ];
    if (earlier.length === 0) continue;
    try {
      const job = await slurm.job(line.ref);
      const text = job && (await engine.adoptIfOurs(job, earlier));
      const since = engine.held.get(line.ref)?.since ?? engine.ports.clock.now();
      if (text !== undefined) held.set(line.ref, { since, text });
    } catch (e) {
      if (faultOf(e) === undefined || faultOf(e) === 'unreachable') throw e;
      engine.ports.log({
        level: 'warn',
        text: `job ${line.ref}: ${(e as Error).message}`,
        cluster: engine.name,
      });
    }
  }
  engine.held = held;
}

/**
 * A burst for a job that is in our partitions already. The next run after a requeue is taken on, with what it asks for now. One that
 * came back without a requeue goes home if it still can: nobody decided that it bursts; if Slurm has started it, it is carried. `held`: why it
 * may not burst [adopt.ts, heldUp], requeued or not.
 */
export async function adopt(
  engine: Cluster,
  job: JobDetail,
  before: Burst,
  held?: string,
  goesHome?: Cause,
): Promise<void> {
  const { ports, settings } = engine;
  if (settings.setup.mode === 'observe') throw new PortError('refused', 'engine.adopt', 'mode is observe');
  const requeued = job.restarts > before.restarts && held === undefined;
  const reclaims = (before.reclaims ?? 0) + (before.reclaimedAt === undefined ? 0 : 1);
  const fresh = burstOf({
    id: ports.entropy.uuid(),
    setup: settings.setup,
    job,
    origin: requeued ? 'requeue' : 'adopted',
    group: before.group,
    needs: needsNow(engine, job, before),
    receipt: before.receipt,
    at: ports.clock.now(),
    before,
    capacityType: requeued && spotAgain(engine, job, before, reclaims) ? 'spot' : undefined,
    reclaims,
  });
  // Of what Slurm has started the way home is a requeue.
  const back = requeued ? undefined : (goesHome ?? homeward(before));
  const home = !requeued && (job.state === 'PENDING' || back !== undefined);
  const why = requeued
    ? `run ${job.restarts}, after Slurm requeued the job`
    : back !== undefined
      ? `goes home: ${back.text}`
      : home
        ? `it was moved to ${job.partition} by somebody else${held === undefined ? '' : `, and ${held}`}`
        : 'Slurm started it in the burst partition';
  const burst: Burst = home
    ? { ...fresh, state: 'returning', cause: back ?? { kind: 'owner_changed', text: why } }
    : fresh;
  const written = await ports.store.commit(ports.entropy.uuid(), engine.name, engine.epoch, [
    { kind: 'burst', burst, why },
  ]);
  if (written !== 'ok') return;
  ports.log({ level: 'info', text: why, job: job.ref, burst: burst.id, cluster: engine.name });
  await ports.wake.wake(burst.id);
}

/** A run that went on spot goes there again, unless it was taken back too often, or there is none now. */
function spotAgain(engine: Cluster, job: JobDetail, before: Burst, reclaims: number): boolean {
  const offered = engine.offered.find((o) => o.group.name === before.group);
  if (before.capacityType !== 'spot' || offered === undefined) return false;
  if (barredFrom(engine, { requeue: job.requeue, reclaims }) !== undefined) return false;
  const types = fittingTypes(offered, plus(before.needs, keeperNeeds));
  const at = engine.ports.clock.now();
  return standOf(offered.group, types, engine.spot.seen, engine.spot.avoided(), at).kind === 'offered';
}

/** The owner may have changed the job's size between two runs. */
function needsNow(engine: Cluster, job: JobDetail, before: Burst): Burst['needs'] {
  const group = engine.settings.groups.find((g) => g.name === before.group);
  const node =
    engine.snapshot === undefined
      ? undefined
      : shapeOf({ partition: before.saved.partition }, engine.snapshot);
  if (group === undefined || node === undefined) return before.needs;
  const nodes = Math.max(1, job.minNodes);
  const asks = asksOf(job, nodes, group, hugepagesOf(before.needs));
  // What its group has not, the examination at its claim says.
  if (asks.kind === 'untold') return before.needs;
  return needsOf({ job, nodes, node, vcpuPerCpu: group.vcpuPerCpu, ...asks.value });
}
