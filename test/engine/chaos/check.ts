/** design.md, section 4, on the models' own truth: what the gateway believes counts for nothing here. */
import { spentBy } from '../../../src/decide/price.ts';
import { cloudId, instant, type JobRef } from '../../../src/domain/ids.ts';
import { ranksOf } from '../../../src/domain/ranks.ts';
import { stateOf } from '../../../src/sim/models/cloud-types.ts';
import type { TrueJob, TrueRun } from '../../../src/sim/models/slurm-types.ts';
import type { PodRun } from '../../../src/sim/world.ts';
import { cluster, group } from './centre.ts';
import type { Run } from './run.ts';

export interface Breach {
  readonly invariant: 1 | 2 | 3 | 4 | 5 | 6 | 'truth' | 'bug';
  readonly text: string;
}

const final = new Set([
  'COMPLETED',
  'CANCELLED',
  'FAILED',
  'TIMEOUT',
  'NODE_FAIL',
  'PREEMPTED',
  'BOOT_FAIL',
  'DEADLINE',
  'OUT_OF_MEMORY',
]);

export async function breaches(run: Run): Promise<readonly Breach[]> {
  const found: Breach[] = [];
  const say = (invariant: Breach['invariant'], text: string): void => {
    found.push({ invariant, text });
  };
  const jobs = run.slurm.truth().filter((j) => j.name !== 'filler');
  for (const e of run.errors) say('bug', e);
  once(run, jobs, say);
  gangs(run, jobs, say);
  home(run, jobs, say);
  nothingLeft(run, say);
  if (run.highest > run.scenario.budget)
    say(
      4,
      `${run.highest} micro-dollars were held and spent of one account at once; its hard budget is ${run.scenario.budget}`,
    );
  for (const text of run.early) say(2, text);
  await launches(run, say);
  for (const text of run.usurped) say(1, text);
  requeues(run, say);
  await unbound(run, say);
  failedClosed(run, jobs, say);
  await money(run, say);
  await spot(run, say);
  await receipts(run, jobs, say);
  await approved(run, jobs, say);
  await ramp(run, say);
  identity(run, say);
  ends(run, jobs, await unfetched(run, jobs), say);
  await results(run, jobs, say);
  return found;
}

/** What a script made, whatever way its job ended, is here, whole, or its owner was told where it is, or that it is lost. */
async function results(run: Run, jobs: readonly TrueJob[], say: Say): Promise<void> {
  for (const { plan, ref } of run.submitted) {
    const job = jobs.find((j) => j.ref === ref);
    const last = job?.runs.at(-1);
    if (
      plan.data === undefined ||
      last?.burst !== true ||
      !['COMPLETED', 'FAILED', 'CANCELLED', 'TIMEOUT'].includes(job?.state ?? '')
    )
      continue;
    const { needs, makes } = plan.data;
    const made = run.world.files.read(`${makes}/of`);
    for (let rank = 1; rank < (plan.nodes ?? 1) && made !== undefined; rank++) {
      const there = run.world.files.read(`${makes}/of-${rank}`);
      const bursts = await run.store.burstsOfJob(cluster, ref);
      if (there === undefined && !bursts.some((b) => b.data?.kept !== undefined || b.exit?.lost === true))
        say('truth', `job ${ref} ended and the results of its rank ${rank} are nowhere`);
      if (there !== undefined && there !== `made on rank ${rank} of what ${needs} holds`)
        say('truth', `rank ${rank} of job ${ref} ran without its data: ${there}`);
    }
    const bursts = await run.store.burstsOfJob(cluster, ref);
    const told =
      bursts.some((b) => b.data?.kept !== undefined || b.exit?.lost === true || b.state === 'failed') ||
      // By a gateway whose store was set back since, perhaps to before the burst: the words on the job are what its owner has, and sacct keeps them.
      run.slurm.state.books.rows(ref).some(({ comment }) => /\/out\/[0-9a-f-]{36} /.test(comment));
    const ran = run.world.ran.some((p) => attemptOf(p).ref === ref);
    if (made !== undefined && made !== `made of what ${plan.data.needs} holds`)
      say('truth', `job ${ref} ran without its data: ${made}`);
    if (ran && made === undefined && !told) say('truth', `job ${ref} ended and its results are nowhere`);
  }
}

type Say = (invariant: Breach['invariant'], text: string) => void;

/** Which job a grant was for: `cluster/ref@first submit`, then `#restarts`. */
function attemptOf(pod: PodRun): { readonly ref: JobRef; readonly restarts: number } {
  const [, ref = '', restarts = ''] = /\/([^@]+)@\d+#(\d+)$/.exec(pod.grant.attempt) ?? [];
  return { ref: ref as JobRef, restarts: Number(restarts) };
}

interface Span {
  readonly what: string;
  readonly restarts: number;
  /** Of the job's nodes, which one; on-prem all of them together. */
  readonly rank: number;
  readonly from: number;
  readonly to: number;
}

/**
 * 1: a job never runs twice: once for each of its runs, on each of its nodes, and no run while an earlier one is still alive anywhere. No
 * script begins before every node of its job waits for it.
 */
function once(run: Run, jobs: readonly TrueJob[], say: Say): void {
  const spans = new Map<JobRef, Span[]>();
  const add = (ref: JobRef, span: Span): void => void spans.set(ref, [...(spans.get(ref) ?? []), span]);
  for (const pod of run.world.ran) {
    const { ref, restarts } = attemptOf(pod);
    add(ref, {
      what: `pod ${pod.podUid} on ${pod.node}`,
      restarts,
      rank: pod.rank,
      from: pod.startedAt,
      to: pod.endedAt ?? Number.POSITIVE_INFINITY,
    });
  }
  for (const job of jobs)
    for (const one of job.runs)
      if (!one.burst && one.startAt !== undefined)
        add(job.ref, {
          what: `${one.nodes.join(',')} on-prem`,
          restarts: one.restarts,
          rank: 0,
          from: one.startAt,
          to: one.endAt ?? Number.POSITIVE_INFINITY,
        });
  for (const [ref, all] of spans) {
    const sorted = [...all].sort((a, b) => a.from - b.from);
    for (const [i, a] of sorted.entries())
      for (const b of sorted.slice(i + 1)) {
        if (a.restarts === b.restarts && a.rank !== b.rank) continue;
        if (a.restarts === b.restarts)
          say(1, `run ${a.restarts} of job ${ref} ran twice: ${a.what}, and ${b.what}`);
        else if (b.from < a.to)
          say(
            1,
            `run ${b.restarts} of job ${ref} (${b.what}) began while run ${a.restarts} (${a.what}) was alive`,
          );
      }
  }
}

/** A script of several nodes runs where all of them are: each node of the job waits on a machine of its own when its script begins. */
function gangs(run: Run, jobs: readonly TrueJob[], say: Say): void {
  for (const script of run.world.ran.filter((p) => p.rank === 0)) {
    const { ref, restarts } = attemptOf(script);
    const nodes =
      jobs.find((j) => j.ref === ref)?.runs.find((r) => r.restarts === restarts)?.nodes.length ?? 1;
    const team = run.world.ran.filter((p) => p.grant.attempt === script.grant.attempt);
    const machines = new Set(team.map((p) => p.node));
    if (machines.size !== team.length)
      say(1, `run ${restarts} of job ${ref} has ${team.length} nodes on ${machines.size} machines`);
    if (team.length !== nodes)
      say(1, `the script of run ${restarts} of job ${ref} ran with ${team.length} of ${nodes} nodes`);
    const late = team.find((p) => p.startedAt > script.startedAt);
    if (late !== undefined) say(1, `rank ${late.rank} of job ${ref} was started after its script`);
  }
}

/** 2: every claimed job ends, or is back where it was, as it was. */
function home(run: Run, jobs: readonly TrueJob[], say: Say): void {
  for (const job of jobs) {
    const ours = job.moves.some((m) => m.by === 'spillway');
    wayHome(run, job, say);
    if (final.has(job.state)) continue;
    const where = `job ${job.ref} is ${job.state} in ${job.partition}`;
    if (job.partition === 'burst' || job.partition === 'burst_wait')
      say(2, `${where} when all has come to rest`);
    else if (job.state !== 'PENDING') say(2, `${where} when all has come to rest`);
    else if (job.held === 'admin') say(2, `${where}, held by an admin`);
    if (!ours) continue;
    const submitted = run.submitted.find(
      (s) => s.ref === job.ref || String(s.ref) === String(job.arrayJobId),
    );
    const touched = run.touched.get(submitted?.ref ?? job.ref);
    if (submitted === undefined || touched !== undefined) continue;
    if (job.partition !== submitted.plan.partition)
      say(2, `${where}; it was submitted to ${submitted.plan.partition}`);
    if (job.timeLimitMs !== submitted.plan.timeMin * 60_000)
      say(2, `${where} with a limit of ${job.timeLimitMs} ms instead of ${submitted.plan.timeMin} min`);
  }
}

/** What we move out of our partitions goes where it came from. */
function wayHome(run: Run, job: TrueJob, say: Say): void {
  const submitted = run.submitted.find((s) => s.ref === job.ref || String(s.ref) === String(job.arrayJobId));
  // A store that lost all record of a job may only guess where it belongs.
  if (
    submitted === undefined ||
    run.touched.has(submitted.ref) ||
    run.scenario.kills.some((k) => k.olderMs !== undefined)
  )
    return;
  for (const m of job.moves)
    if (m.by === 'spillway' && m.to !== 'burst' && m.to !== 'burst_wait' && m.to !== submitted.plan.partition)
      say(2, `job ${job.ref} was given back to ${m.to}; it was submitted to ${submitted.plan.partition}`);
}

/** 3: no machine outlives its purpose, also when its gateway died during the launch; and no pod's containers do. */
function nothingLeft(run: Run, say: Say): void {
  for (const m of run.cloud.truth())
    if (stateOf(m) !== 'terminated')
      say(3, `instance ${m.id} (${m.dnsName}) is ${stateOf(m)} when all has come to rest`);
  for (const name of run.nodes?.left() ?? []) say(3, `node ${name} is held when all has come to rest`);
  for (const what of run.nodes?.harmed() ?? []) say(3, `${what}, and it is not ours`);
  for (const c of run.kubernetes.truth().running)
    say(3, `container ${c.container} of pod ${c.pod.name} runs on ${c.node} when all has come to rest`);
}

/**
 * 1: a requeue whose answer was lost may have been made, and a second one would kill the run that follows. Of which nothing came is asked
 * for again once, when it cannot be obeyed any more: 15 s after its deadline.
 */
function requeues(run: Run, say: Say): void {
  const no = new Set(['conflict', 'refused', 'transient', 'unreachable', 'not_found']);
  const nothing = new Set(['unsent', 'DIED before', 'failed after its death']);
  for (const [which, asked] of run.requeues) {
    const open = asked.filter(({ outcome }, i) => !no.has(outcome) && i < asked.length - 1);
    const last = asked.at(-1);
    for (const { outcome, deadline } of open)
      if (!nothing.has(outcome) || last === undefined || last.deadline < deadline + 30_000 || open.length > 1)
        say(
          1,
          `the requeue of run ${which} was asked for again after: ${asked
            .slice(0, -1)
            .map((a) => a.outcome)
            .join(', ')}`,
        );
  }
}

/** 4: nothing is bought that no burst was to run on, but spares where a group has them. */
async function unbound(run: Run, say: Say): Promise<void> {
  if (run.scenario.groups?.some((g) => (g.spares ?? 0) > 0) === true) return;
  if (run.scenario.kills.some((k) => k.olderMs !== undefined)) return;
  const bursts = await run.store.bursts({ cluster, limit: 10_000 });
  const rows = await run.store.instances(10_000);
  let bound: ReadonlySet<string> | undefined;
  for (const { id, tags } of run.world.launched) {
    // Of a lot it is known by its row, once there is one that has it.
    const intent = tags['spillway.dev/instance'] ?? rows.find((r) => r.cloudId === cloudId(id))?.id;
    if (bursts.some((b) => ranksOf(b).some(({ instance }) => instance === intent))) continue;
    // Or it was planned anew: as spot there was none, or none of all its nodes.
    bound ??= await everBound(run);
    if (!bound.has(intent ?? '')) say(4, `instance ${id} was bought, and no burst was ever bound to it`);
  }
}

/** Where one of several spot machines was taken back, or not to be had, its burst is planned anew and may leave the others behind. */
async function everBound(run: Run): Promise<ReadonlySet<string>> {
  const bound = new Set<string>();
  for (const { id } of await run.store.bursts({ cluster, limit: 10_000 }))
    for (const { why } of await run.store.audit(id))
      for (const [instance] of why.matchAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g)) bound.add(instance);
  return bound;
}

/** 2: a job that may run again is not failed for want of its pod. */
function failedClosed(run: Run, jobs: readonly TrueJob[], say: Say): void {
  for (const job of jobs) {
    const plan = run.submitted.find(
      (s) => s.ref === job.ref || String(s.ref) === String(job.arrayJobId),
    )?.plan;
    const last = job.runs.at(-1);
    if (plan?.requeue !== true || last?.burst !== true || last.state !== 'FAILED' || last.exit.code !== 1)
      continue;
    const ran = run.world.ran.some(
      (p) => attemptOf(p).ref === job.ref && attemptOf(p).restarts === last.restarts && p.rank === 0,
    );
    if (!ran)
      say(2, `job ${job.ref} FAILED 1:0 in burst, nothing of it ran, and it could have been requeued`);
  }
}

/** 4: one intent buys one machine, however often it is asked for and whatever answer was lost. */
async function launches(run: Run, say: Say): Promise<void> {
  const seen = new Map<string, string>();
  const lots = new Map<string, string[]>();
  for (const { id, tags } of run.world.launched) {
    if (tags['spillway.dev/lot'] !== undefined) {
      const token = tags['spillway.dev/token'] ?? '';
      lots.set(token, [...(lots.get(token) ?? []), id]);
      continue;
    }
    const intent = tags['spillway.dev/instance'] ?? '';
    const other = seen.get(intent);
    if (other !== undefined) say(4, `instances ${other} and ${id} were both launched for intent ${intent}`);
    seen.set(intent, id);
  }
  // A store that was set back may have lost its rows.
  if (run.scenario.kills.some((k) => k.olderMs !== undefined)) return;
  const rows = await run.store.instances(10_000);
  for (const [token, ids] of lots) {
    const of = rows.filter((r) => r.token === token).length;
    if (ids.length > of) say(4, `${ids.join(', ')} were launched for ${of} intents of one lot`);
  }
}

/** 4, by the books: nothing is held for a burst that is over. */
async function money(run: Run, say: Say): Promise<void> {
  const live = await run.store.liveBursts(cluster);
  const all = await run.store.bursts({ cluster, limit: 10_000 });
  const older = run.scenario.kills.some((k) => k.olderMs !== undefined);
  for (const account of ['physics', 'chemistry']) {
    const { held, spent } = await run.store.money(cluster, { account, since: instant(0) });
    const explained = live.reduce((sum, b) => sum + (b.account === account ? (b.price?.held ?? 0) : 0), 0);
    // A store that was set back has lost settlements with the bursts that they were of.
    const own = all.filter((b) => b.account === account && b.price !== undefined && !live.includes(b));
    const dated = own.every((b) => b.startedAt === undefined || b.endedAt !== undefined);
    const cost = own.reduce((sum, b) => sum + spentBy(b, 0), 0);
    if (dated && spent !== cost && !older)
      say(4, `${spent} micro-dollars are booked as spent by ${account}, its bursts cost ${cost}`);
    if (held !== explained && !older)
      say(4, `${held} micro-dollars are held for account ${account}, the live bursts explain ${explained}`);
  }
}

/** What may not run again, or was taken back twice, is not bought as spot; and nothing is bought so above its price on demand. */
async function spot(run: Run, say: Say): Promise<void> {
  const older = run.scenario.kills.some((k) => k.olderMs !== undefined);
  for (const m of run.cloud.truth())
    if (m.capacityType === 'spot' && (m.maxPrice ?? Number.POSITIVE_INFINITY) > (group.prices?.[m.type] ?? 0))
      say(4, `instance ${m.id} was bought as spot at up to ${m.maxPrice}`);
  for (const b of await run.store.bursts({ cluster, limit: 10_000 })) {
    if (b.capacityType !== 'spot') continue;
    const plan = run.submitted.find((s) => s.ref === b.ref || String(s.ref) === b.ref.split('_')[0])?.plan;
    if (plan?.requeue === false) say(2, `job ${b.ref} may not be requeued, and went on spot`);
    if ((b.reclaims ?? 0) >= 2 && !older) say(2, `job ${b.ref} was taken back twice, and went on spot again`);
    // With nothing but that amiss it runs again.
    const calm = run.scenario.world.every((w) => ['notice', 'reclaim', 'spot-dear'].includes(w.does));
    const { faults, kills, pauses, people } = run.scenario;
    const alone = calm && faults.length + kills.length + pauses.length + people.length === 0;
    if (alone && b.state === 'failed' && b.reclaimedAt !== undefined && plan?.requeue === true)
      say(2, `job ${b.ref} was taken back, might have been requeued, and is failed`);
    if (b.spent !== undefined && b.price !== undefined && b.spent.microUsd > b.price.held)
      say(4, `burst ${b.id} came to ${b.spent.microUsd} on spot, and held ${b.price.held}`);
  }
}

/** 5: what burst has a receipt that says so, and every chain holds. */
async function receipts(run: Run, jobs: readonly TrueJob[], say: Say): Promise<void> {
  const older = run.scenario.kills.some((k) => k.olderMs !== undefined);
  for (const job of jobs) {
    if (!job.moves.some((m) => m.by === 'spillway')) continue;
    const told = await run.store.receipts(cluster, job.ref, 100);
    if (!told.some((r) => r.kind === 'decision' && r.decision.verdict === 'burst') && !older)
      say(5, `job ${job.ref} was moved and no receipt says why`);
  }
  for (const b of await run.store.bursts({ cluster, limit: 1_000 })) {
    const rows = await run.store.audit(b.id);
    rows.forEach((row, i) => {
      if (row.prev !== (rows[i - 1]?.hash ?? '0'.repeat(64)))
        say(5, `audit row ${row.seq} of ${b.id} does not follow`);
    });
    if (rows.length !== b.rev && !older)
      say(5, `burst ${b.id} is at rev ${b.rev} with ${rows.length} audit rows`);
  }
  // What is unfinished when all has come to rest will never be finished.
  for (const b of await run.store.liveBursts(cluster))
    say(
      2,
      `burst of job ${b.ref} is ${b.state} when all has come to rest: ${b.trouble?.text ?? b.cause?.text ?? 'no reason'}`,
    );
}

/** 4: mode approve: nothing is held, claimed or bought that nobody said yes to. */
async function approved(run: Run, jobs: readonly TrueJob[], say: Say): Promise<void> {
  if (run.scenario.mode !== 'approve' || run.scenario.kills.some((k) => k.olderMs !== undefined)) return;
  const bursts = await run.store.bursts({ cluster, limit: 10_000 });
  for (const b of bursts)
    if (b.origin === 'decision' && b.answer?.yes !== true && (b.price ?? b.instance ?? b.claim) !== undefined)
      say(4, `burst ${b.id} of job ${b.ref} held money or capacity, and nobody had approved it`);
  for (const job of jobs)
    if (
      job.moves.some((m) => m.by === 'spillway' && m.to === 'burst') &&
      !bursts.some((b) => b.ref === job.ref && b.answer?.yes === true)
    )
      say(4, `job ${job.ref} was moved, and nobody had approved it`);
}

/** 4: on a ramp no more is decided and run than it lets; a run lasts less than a day. */
async function ramp(run: Run, say: Say): Promise<void> {
  const most = run.scenario.ramp;
  if (most === undefined || run.scenario.kills.some((k) => k.olderMs !== undefined)) return;
  const ran = (await run.store.bursts({ cluster, limit: 10_000 })).filter(
    (b) => b.origin === 'decision' && b.grant !== undefined,
  );
  if (ran.length > most) say(4, `${ran.length} bursts ran on a ramp of ${most} a day`);
}

/** 6: a pod has its user's uid, gid and groups. */
function identity(run: Run, say: Say): void {
  const who: Readonly<Record<string, string>> = {
    't-alice': '2001:2001:2001,3001',
    't-bob': '2002:2002:2002',
  };
  for (const pod of run.made) {
    const expected = who[pod.namespace];
    if (pod.identity !== expected)
      say(6, `pod ${pod.name} in ${pod.namespace} ran as ${pod.identity}, not ${expected}`);
  }
}

/** What Slurm tells is what happened: a script that ended by itself in a pod ends its job the same way. */
function ends(run: Run, jobs: readonly TrueJob[], kept: ReadonlySet<string>, say: Say): void {
  const scripts = run.world.ran.filter((p) => p.rank === 0);
  for (const pod of scripts) {
    const { ref, restarts } = attemptOf(pod);
    const job = jobs.find((j) => j.ref === ref);
    const one = job?.runs.find((r) => r.restarts === restarts);
    if (job === undefined || one === undefined) {
      say('truth', `pod ${pod.podUid} ran for run ${restarts} of job ${ref}, which Slurm never had`);
      continue;
    }
    if (!one.burst)
      say('truth', `run ${restarts} of job ${ref} ran in a pod while Slurm had it in ${one.partition}`);
    if (one.state === 'COMPLETED' && (pod.exit === undefined || pod.exit.exitCode !== 0))
      say('truth', `job ${ref} is COMPLETED, its script in the pod ended ${JSON.stringify(pod.exit)}`);
    const unfetched = kept.has(`${ref}#${restarts}`);
    if (one.state === 'COMPLETED' && unfetched)
      say('truth', `job ${ref} is COMPLETED, and its results are not here`);
    const own = one.exit.code === 1 && pod.exit?.exitCode === 0 && unfetched;
    check(one, pod, ref, own || brokenBefore(run, pod), say);
  }
  for (const job of jobs)
    for (const one of job.runs) {
      if (!one.burst || one.state !== 'COMPLETED') continue;
      const ran = scripts.some((p) => attemptOf(p).ref === job.ref && attemptOf(p).restarts === one.restarts);
      if (!ran) say('truth', `job ${job.ref} is COMPLETED in burst, and nothing of it ran`);
    }
}

/** Runs of jobs whose results did not come home, by the gateway's word: such a run does not end well, whatever its script said. */
async function unfetched(run: Run, jobs: readonly TrueJob[]): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  for (const { ref } of jobs)
    for (const { data, restarts } of await run.store.burstsOfJob(cluster, ref))
      if (data?.kept !== undefined) found.add(`${ref}#${restarts}`);
  return found;
}

/** Another node of the job that ended before its script did: the job ends as that did. */
function brokenBefore(run: Run, pod: PodRun): boolean {
  return run.world.ran.some(
    (p) =>
      p.rank > 0 &&
      p.grant.attempt === pod.grant.attempt &&
      (p.endedAt ?? Number.POSITIVE_INFINITY) <= (pod.endedAt ?? Number.POSITIVE_INFINITY),
  );
}

function check(one: TrueRun, pod: PodRun, ref: JobRef, broken: boolean, say: Say): void {
  if (one.state !== 'FAILED' || pod.exit === undefined || one.exit.signal === 9 || broken) return;
  const { exitCode } = pod.exit;
  // A runtime writes signal n as 128 + n.
  const signal = pod.exit.signal > 0 ? pod.exit.signal : exitCode > 128 ? exitCode - 128 : 0;
  const same = signal > 0 ? one.exit.signal === signal : one.exit.code === exitCode;
  if (!same)
    say(
      'truth',
      `job ${ref} is FAILED ${one.exit.code}:${one.exit.signal}, its script ended ${exitCode}:${signal}`,
    );
}
