/** What must be so when the morning is over. The models' own truth decides; what the gateway believes of it counts only where its word is the point. */
import type { ExitCode } from '../../src/domain/job.ts';
import type { Asked } from '../../src/sim/models/slurm-types.ts';
import { type Evidence, plansOf, runOf } from './evidence.ts';
import { fatesOf, isOver, lastRun, waitsOf } from './fates.ts';
import { jobsIn } from './morning.ts';
import { refusalsOf } from './refusals.ts';
import * as site from './site.ts';
import { timesFaster, told } from './told.ts';

export interface Finding {
  readonly what: string;
  /** What speaks against it; nothing does where it holds. */
  readonly against: readonly string[];
  /** In figures. */
  readonly seen: string;
}

/** So many bursts at least, and so much of the mean wait at most: far from what is usual, for machines may be slow. */
const leastBursts = 12;
const mostOfTheWait = 0.75;

export function findings(e: Evidence): readonly Finding[] {
  return [
    lost(e),
    once(e),
    ends(e),
    bursts(e),
    shorter(e),
    capacity(e),
    untouched(e),
    reclaimed(e),
    budgets(e),
    ranOut(e),
    nothingLeft(e),
    quiet(e),
  ];
}

/** Every job that was submitted is known, and ended. */
function lost({ submitted, jobs }: Evidence): Finding {
  const planned = jobsIn(submitted.map(({ plan }) => plan));
  const against = jobs
    .filter((job) => !isOver(job))
    .map((j) => `job ${j.ref} is ${j.state} in ${j.partition}`);
  const known = new Set(jobs.map((job) => String(job.arrayJobId ?? job.ref)));
  for (const { ref } of submitted) if (!known.has(ref)) against.push(`Slurm does not know job ${ref}`);
  if (jobs.length !== planned) against.push(`${planned} jobs were submitted, and Slurm has ${jobs.length}`);
  return { what: 'no job was lost: every one ended', against, seen: `${jobs.length} jobs` };
}

interface Span {
  readonly what: string;
  readonly restarts: number;
  readonly from: number;
  readonly to: number;
}

/** One start for each run, at home or in one pod, and no run while an earlier one of the same job is alive anywhere. */
function once({ jobs, ran }: Evidence): Finding {
  const spans = new Map<string, Span[]>();
  const add = (ref: string, span: Span) => void spans.set(ref, [...(spans.get(ref) ?? []), span]);
  for (const pod of ran) {
    const { ref, restarts } = runOf(pod);
    const to = pod.endedAt ?? Number.POSITIVE_INFINITY;
    add(ref, { what: `in pod ${pod.podUid}`, restarts, from: pod.startedAt, to });
  }
  for (const { ref, runs } of jobs)
    for (const { burst, startAt, endAt, restarts, nodes } of runs) {
      if (burst || startAt === undefined) continue;
      const to = endAt ?? Number.POSITIVE_INFINITY;
      add(ref, { what: `at home on ${nodes.join(',')}`, restarts, from: startAt, to });
    }
  const against: string[] = [];
  for (const [ref, all] of spans) {
    const sorted = all.sort((a, b) => a.from - b.from);
    sorted.forEach((a, i) => {
      for (const b of sorted.slice(i + 1)) {
        if (a.restarts === b.restarts) against.push(`job ${ref} ran twice: ${a.what} and ${b.what}`);
        else if (b.from < a.to) against.push(`job ${ref} ran ${b.what} while it ran ${a.what}`);
      }
    });
  }
  for (const job of jobs)
    if (isOver(job) && lastRun(job)?.startAt !== undefined && !spans.has(job.ref))
      against.push(`job ${job.ref} is ${job.state}, and nothing of it ran`);
  return { what: 'no job ran twice or in two places', against, seen: `${ran.length} runs in pods` };
}

/** What Slurm's accounting says is what the script did. */
function ends({ submitted, jobs, accounted }: Evidence): Finding {
  const planOf = plansOf(submitted);
  const against: string[] = [];
  let failed = 0;
  for (const job of jobs) {
    const exit = planOf(job)?.exit;
    const row = accounted.get(job.ref);
    if (exit === undefined || row === undefined) {
      against.push(`sacct has no record of job ${job.ref}`);
      continue;
    }
    const expected = { code: exit.code ?? 0, signal: exit.signal ?? 0 };
    const state = expected.code === 0 && expected.signal === 0 ? 'COMPLETED' : 'FAILED';
    if (state === 'FAILED') failed += 1;
    if (row.state !== state || words(row.exit) !== words(expected))
      against.push(`job ${job.ref} is ${row.state} ${words(row.exit)}, its script ended ${words(expected)}`);
  }
  const seen = `${failed} failed by their own doing, and say so`;
  return { what: 'exit codes in sacct are those of the scripts', against, seen };
}

const words = ({ code, signal }: ExitCode): string => `${code}:${signal}`;

function bursts({ jobs }: Evidence): Finding {
  const ran = jobs.filter((job) => lastRun(job)?.burst === true).length;
  const against = ran < leastBursts ? [`${ran} jobs burst, ${leastBursts} are expected at least`] : [];
  return { what: 'the backlog overflowed into the cloud', against, seen: `${ran} jobs ran there` };
}

function shorter({ jobs, alone }: Evidence): Finding {
  const [without, with_] = [waitsOf(alone.jobs), waitsOf(jobs)];
  const against =
    with_.meanMs <= mostOfTheWait * without.meanMs
      ? []
      : [`the mean wait is ${told(with_.meanMs)}, without a cloud it is ${told(without.meanMs)}`];
  const seen = `${told(with_.meanMs)} on average instead of ${told(without.meanMs)}`;
  return { what: 'jobs waited clearly less than without a cloud', against, seen };
}

/** Refused by the cloud, or with its machine gone before it began, the job kept its place at home and ended all the same; a receipt says why. */
function capacity({ bursts: all, decisions, jobs }: Evidence): Finding {
  const back = all.filter(({ state, cause }) => state === 'returned' && cause?.kind === 'no_capacity');
  const against: string[] = [];
  if (!back.some(({ cause }) => cause?.text.includes('no capacity')))
    against.push('the cloud never lacked capacity');
  for (const { job, cause } of back) {
    const why = cause?.text ?? '';
    if (!decisions.some((d) => d.job === job && d.kind === 'outcome' && d.text.includes(why)))
      against.push(`no receipt says that job ${job} was given back: ${why}`);
    const own = jobs.find(({ ref }) => String(ref) === job);
    if (own === undefined || !isOver(own)) against.push(`job ${job} was given back, and did not end`);
  }
  const seen = `${new Set(back.map(({ job }) => job)).size} jobs given back`;
  return { what: 'without capacity a job goes back to its place, with the reason', against, seen };
}

/** Whatever ended at home ended as its owner had asked for it, to the last field that a move overwrites. */
function untouched({ jobs }: Evidence): Finding {
  const home = jobs.filter((job) => isOver(job) && lastRun(job)?.burst !== true);
  const against = home.flatMap((job) => {
    const [then, now] = [wish(job.asked), wish(job)];
    return now === then ? [] : [`job ${job.ref} was asked for as ${then} and ended as ${now}`];
  });
  const seen = `${home.length} jobs`;
  return { what: 'jobs that ended at home are as their owners had asked', against, seen };
}

const wish = ({ partition, timeLimitMs, memory, minNodes, maxNodes, comment }: Asked): string =>
  JSON.stringify({ partition, timeLimitMs, memory, minNodes, maxNodes, comment });

/** A machine was taken away under running jobs: their runs are over, and each ran once more and ended. */
function reclaimed({ reclaims, jobs, machines }: Evidence): Finding {
  const against: string[] = [];
  const hit = reclaims.flatMap((r) => r.jobs);
  if (hit.length === 0) against.push('no machine was taken back while jobs ran there');
  for (const { machine } of reclaims)
    if (machines.find(({ id }) => id === machine)?.state !== 'terminated')
      against.push(`machine ${machine} was taken back, and is there`);
  for (const ref of hit) {
    const job = jobs.find((j) => j.ref === ref);
    const [first, ...later] = job?.runs ?? [];
    if (first?.state !== 'REQUEUED' || later.length === 0 || job === undefined || !isOver(job))
      against.push(
        `job ${ref} lost its machine and is ${job?.state ?? 'unknown'} after ${later.length + 1} runs`,
      );
  }
  const seen = `${hit.length} of its jobs ran again and ended`;
  return { what: 'a machine that the cloud took back cost no job', against, seen };
}

/** By the gateway's books at every look, and by what really ran, at the price of the dearest machine. */
function budgets(e: Evidence): Finding {
  const against: string[] = [];
  for (const { account, limitMicroUsd, heldMicroUsd } of e.budgets) {
    const high = e.highest.get(account) ?? 0;
    if (high > limitMicroUsd) against.push(`${usd(high)} of ${account} were held and spent at once`);
    if (heldMicroUsd > 0) against.push(`${usd(heldMicroUsd)} of ${account} are still held at the end`);
    const real = costOf(e, account);
    if (real > limitMicroUsd) against.push(`what ran for ${account} cost ${usd(real)}`);
  }
  if (e.budgets.length === 0) against.push('the gateway tells of no budget');
  const seen = e.budgets.map((b) => `${b.account} ${usd(b.spentMicroUsd)} of ${usd(b.limitMicroUsd)}`);
  return { what: 'no budget was passed, not for a moment', against, seen: seen.join(', ') };
}

export const usd = (micro: number): string => `$${(micro / 1_000_000).toFixed(2)}`;

/** Each script's share of a machine's CPUs for as long as it ran, reckoned without the gateway. */
function costOf({ submitted, jobs, ran }: Evidence, account: string): number {
  const planOf = plansOf(submitted);
  const perCpu = Math.max(...site.types.map(({ usd, vcpus }) => usd / vcpus)) * timesFaster * 1_000_000;
  let sum = 0;
  for (const pod of ran) {
    const job = jobs.find(({ ref }) => String(ref) === runOf(pod).ref);
    const plan = job && planOf(job);
    if (plan?.account !== account || pod.endedAt === undefined) continue;
    sum += ((plan.cpus * (pod.endedAt - pod.startedAt)) / 3_600_000) * perCpu;
  }
  return Math.round(sum);
}

/** One account had little: what was left held no further job, and those jobs ran at home. */
function ranOut({ jobs, bursts: all, submitted, decisions }: Evidence): Finding {
  const planOf = plansOf(submitted);
  const refusals = refusalsOf(all, decisions);
  const refused = new Set(refusals.map(({ job }) => job));
  const against: string[] = [];
  if (refused.size === 0) against.push('no budget ran out');
  for (const job of refused)
    if (!decisions.some((d) => d.job === job && d.verdict === 'wait' && d.text.includes('budget')))
      against.push(`no receipt says that the budget did not hold job ${job}`);
  const poor = jobs.filter((job) => refused.has(String(job.ref)));
  const home = [...fatesOf(poor, all, decisions)].filter(([, fate]) => fate === 'at home: no budget held it');
  if (refused.size > 0 && home.length === 0)
    against.push('every job whose budget had run out burst all the same');
  const accounts = new Set(poor.map((job) => planOf(job)?.account));
  const seen = `${home.length} jobs of ${[...accounts].join(', ')} ran at home instead`;
  return { what: 'a budget ran out, and its jobs waited at home', against, seen };
}

function nothingLeft({ machines, left }: Evidence): Finding {
  const alive = machines.filter(({ state }) => state !== 'terminated');
  const against = [
    ...alive.map(({ id, state }) => `machine ${id} is ${state}`),
    ...left.map((l) => `${l} is left`),
  ];
  return {
    what: 'no machine, pod, node or key is left',
    against,
    seen: `${machines.length} machines came and went`,
  };
}

function quiet({ errors, bursts: all }: Evidence): Finding {
  const stuck = all.filter(({ state }) => state === 'needs_person' || state === 'failed');
  const against = [...errors, ...stuck.map(({ job, state }) => `the burst of job ${job} is ${state}`)];
  return {
    what: 'the gateway had no error, and nothing needs a person',
    against,
    seen: `${all.length} bursts begun`,
  };
}
