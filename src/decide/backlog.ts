import type { Decision } from '../domain/decision.ts';
import type { Instant, JobRef } from '../domain/ids.ts';
import { type Job, partitionsOf, type Snapshot } from '../domain/job.ts';
import type { Owner } from '../domain/money.ts';
import type { ClusterSetup, Policy } from '../domain/policy.ts';
import type { Resources } from '../domain/resources.ts';
import { type Begun, decide, Sayings } from './decide.ts';
import type { ExpectedQueue, StartForecast } from './foresight.ts';
import { type Candidate, fairOrder, slurmOrder } from './order.ts';
import { judgeIn, placesOf } from './places.ts';
import { worstCaseOf } from './price.ts';
import { type BudgetLeft, Purse } from './purse.ts';
import { Climb } from './ramp-day.ts';
import type { Ready } from './ready.ts';
import { type Returned, returnedFor } from './returned.ts';
import type { JobWorth, OfferedGroup, RuleContext, WorstCase } from './rule.ts';
import { groupFor } from './rules/size.ts';
import { expandedTasks, tasksOf } from './tasks.ts';
import { worthsOf } from './worth.ts';

export interface BacklogInput {
  readonly snapshot: Snapshot;
  readonly now: Instant;
  readonly setup: ClusterSetup;
  readonly policy: Policy;
  readonly groups: readonly OfferedGroup[];
  readonly stop: RuleContext['stop'];
  readonly drained?: RuleContext['drained'];
  /** Jobs that have a live burst: decided already. */
  readonly live: ReadonlySet<JobRef>;
  /** This one is decided on whatever its partition, so that the rules say what they have against that. */
  readonly also?: JobRef | undefined;
  readonly liveBursts: number;
  readonly returned: ReadonlyMap<JobRef, Returned>;
  /** Of the hard ones. */
  readonly budgets: readonly BudgetLeft[];
  readonly ramp?: RuleContext['ramp'];
  /** What every pod needs besides its job. */
  readonly beside: Resources;
  /** Of this site's machines, in the order in which Slurm serves them. */
  readonly queues: readonly ExpectedQueue[];
  /** What the live bursts of each account take, as `takesOf` counts it. */
  readonly had: ReadonlyMap<string, number>;
  /** When it would start here. */
  forecast(job: Job): StartForecast | undefined;
  /** With the job's data there. */
  readyIn(group: string, job: Job): Ready;
  /** What a full look at this job said not long ago, where that was a no: it takes no place from others. */
  examined(job: Job): Decision | undefined;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export interface Decided {
  readonly job: Job;
  readonly decision: Decision;
}

/**
 * One look over the whole queue. Who may burst goes in the order of order.ts, and of equals as Slurm orders them: priority, then submit time.
 * Those that burst come first, in that order. Pure: the same snapshot gives the same decisions.
 */
export function decideBacklog(input: BacklogInput): readonly Decided[] {
  const deciding = decidingBacklog(input);
  for (;;) {
    const { done, value } = deciding.next();
    if (done === true) return value;
  }
}

/** The same, halting before each job's part: whoever may not keep others waiting goes on when they had their turn. */
export function* decidingBacklog(input: BacklogInput): Generator<void, readonly Decided[], void> {
  const { snapshot, now, setup, policy, groups, returned } = input;
  const pending = pendingIn(input);
  if (pending.length === 0) return [];
  const running = runningTasks(snapshot, input.live);
  const purse = new Purse(input.budgets);
  const climb = input.ramp && new Climb(input.ramp);
  const costs = new Map<string, WorstCase>();
  // Many jobs ask for the same.
  const worstIn = (
    place: readonly OfferedGroup[],
    job: Parameters<RuleContext['worstCase']>[0],
  ): WorstCase => {
    const { cpus, minNodes = 1, timeLimitMs, gres = '', features = '', licenses = '' } = job;
    const key = `${place[0]?.group.name}/${cpus}/${minNodes}/${timeLimitMs}/${gres}/${features}/${licenses}`;
    const cost = costs.get(key) ?? named(worstCaseOf(job, place, input.beside, policy.limitMarginMs), place);
    costs.set(key, cost);
    return cost;
  };
  const turn = { now, snapshot, setup, policy, groups, stop: input.stop, drained: input.drained };
  const sayings = new Sayings(turn);
  const placesFor = placesOf(turn);
  const named = (cost: WorstCase, [only]: readonly OfferedGroup[]): WorstCase =>
    cost.kind === 'known' && groups.length > 1 ? { ...cost, group: only?.group.name } : cost;
  const budgetLeft = (job: Owner) => purse.left(job);
  const begun: Begun[] = [];
  for (const job of pending) {
    yield;
    begun.push(sayings.begin(job));
  }
  const pendingFor = agesOf(pending, begun, input);
  const worths = worthsFor(pending, begun, input);
  let alive = input.liveBursts;
  // One for all, as no rule keeps it: of a hundred thousand the collector would feel each.
  const context: Mutable<RuleContext> = {
    ...turn,
    ...{
      job: pending[0] as Job,
      liveBursts: 0,
      returned: undefined,
      arrayRoom: undefined,
      forecast: undefined,
      worth: undefined,
    },
    readyIn: (group) => input.readyIn(group, context.job),
    worstCase: (job) => worstIn(context.groups, job),
    ...{ pendingFor, budgetLeft, ramp: climb },
  };
  const one = [groups];
  const judge = (i: number): Decision => {
    const job = pending[i] as Job;
    context.job = job;
    context.liveBursts = alive;
    context.returned = returnedFor(job, returned);
    context.forecast = input.forecast(job);
    context.worth = worths.get(job.ref);
    context.arrayRoom = roomOf(job, running);
    const first = judgeIn(
      (begun[i] as Begun).might ? placesFor(job) : one,
      context,
      policy,
      () => decide(context, sayings, begun[i]),
      () => heldOf(worstIn(context.groups, job)),
    );
    return (first.verdict === 'burst' ? input.examined(job) : undefined) ?? first;
  };
  const decisions: Decision[] = [];
  for (let at = 0; at < pending.length; at++) {
    yield;
    decisions.push(judge(at));
  }
  const { stay, candidates } = parted(pending, decisions, worths);
  // What one takes is not left for the next: each is judged again when it is its turn.
  const go: Decided[] = [];
  for (const { at } of fairOrder(candidates, input.had)) {
    yield;
    const job = pending[at] as Job;
    const decision = judge(at);
    if (decision.verdict !== 'burst') {
      stay.push({ job, decision });
      continue;
    }
    go.push({ job, decision });
    alive += Math.max(1, job.minNodes);
    const cost = worstIn(
      groups.filter(({ group }) => group.name === decision.group),
      job,
    );
    if (cost.kind === 'known') purse.take(job, cost.price.held);
    climb?.take(cost);
    if (job.arrayJobId !== undefined) running.set(job.arrayJobId, (running.get(job.arrayJobId) ?? 0) + 1);
  }
  return [...go, ...stay];
}

/** Those of ours that are not decided already, as their lines come, and so as they lie in memory: of a hundred thousand, each that is fetched out of turn is felt. */
function pendingIn({ snapshot, setup, live, also }: BacklogInput): Job[] {
  const ours = new Set([...setup.watch, ...(setup.explicit === undefined ? [] : [setup.explicit])]);
  const pending: Job[] = [];
  for (const line of snapshot.jobs) {
    if (line.state !== 'PENDING' || !(isIn(line.partition, ours) || line.ref === also)) continue;
    if (line.arrayTask === undefined) {
      if (!live.has(line.ref)) pending.push(line);
    } else for (const job of tasksOf(line)) if (!live.has(job.ref)) pending.push(job);
  }
  return pending;
}

/** How long those that might burst have waited, ascending, by partition. */
function agesOf(
  pending: readonly Job[],
  begun: readonly Begun[],
  input: BacklogInput,
): RuleContext['pendingFor'] {
  const ages = new Map<string, number[]>();
  pending.forEach((job, i) => {
    if (!(begun[i] as Begun).might || input.examined(job) !== undefined) return;
    for (const name of partitionsOf(job)) {
      const here = ages.get(name) ?? [];
      here.push(Math.max(0, input.now - (job.eligibleAt ?? job.submitAt)));
      ages.set(name, here);
    }
  });
  // Numbers in an array of their own kind are sorted natively.
  return new Map([...ages].map(([name, here]) => [name, Float64Array.from(here).sort()]));
}

/** What a burst of each is worth, where the policy asks that. */
function worthsFor(
  pending: readonly Job[],
  begun: readonly Begun[],
  input: BacklogInput,
): ReadonlyMap<JobRef, JobWorth> {
  const worths = new Map<JobRef, JobWorth>();
  const asked = input.policy.burstWhen.flatMap((c) => (c.kind === 'worth' ? [c.atLeast] : []));
  if (asked.length === 0) return worths;
  // Any one is enough.
  const atLeast = Math.min(...asked);
  const may = new Set<JobRef>();
  for (const [i, job] of pending.entries())
    if ((begun[i] as Begun).might && input.examined(job) === undefined) may.add(job.ref);
  const readyMs = (job: Job): number | undefined => {
    const group = may.has(job.ref) ? groupFor(job, input.groups)?.group.name : undefined;
    return group === undefined ? undefined : input.readyIn(group, job).p50;
  };
  for (const queue of input.queues) worthsIn(queue, atLeast, readyMs, worths);
  return worths;
}

type Waiting = Candidate & { readonly at: number };

/** Who stays, and who goes if there is room for it, both as Slurm orders them. */
function parted(
  pending: readonly Job[],
  decisions: readonly Decision[],
  worths: ReadonlyMap<JobRef, JobWorth>,
): { readonly stay: Decided[]; readonly candidates: readonly Waiting[] } {
  const stay: Decided[] = [];
  const candidates: Waiting[] = [];
  for (const at of slurmOrder(pending)) {
    const job = pending[at] as Job;
    const decision = decisions[at] as Decision;
    if (decision.verdict !== 'burst') stay.push({ job, decision });
    else {
      const value = worths.get(job.ref)?.worth ?? Number.POSITIVE_INFINITY;
      candidates.push({ at, account: job.account, value, takes: takesOf(job.cpus, job.timeLimitMs) });
    }
  }
  return { stay, candidates };
}

const heldOf = (cost: WorstCase): number =>
  cost.kind === 'known' ? cost.price.held : Number.POSITIVE_INFINITY;

/** What a job takes of the cloud at most, in CPU-milliseconds; one without a limit of its own counts for a day. */
export const takesOf = (cpus: number, limit: Job['timeLimitMs']): number =>
  cpus * (typeof limit === 'number' ? limit : 86_400_000);

/** Of each that waits on a machine of this site. */
function worthsIn(
  { processors, waits, startsInMs, workMs }: ExpectedQueue,
  atLeast: number,
  readyMs: (job: Job) => number | undefined,
  into: Map<JobRef, JobWorth>,
): void {
  const ready = (at: number): number | undefined => readyMs(waits[at] as Job);
  worthsOf(processors, startsInMs, workMs, atLeast, ready, (at, worth, starts) => {
    into.set((waits[at] as Job).ref, { worth, startsInMs: starts, workMs: workMs[at] as number });
  });
}

const isIn = (partition: string, names: ReadonlySet<string>): boolean =>
  names.has(partition) || (partition.includes(',') && partition.split(',').some((p) => names.has(p)));

/** Tasks of each array that run or that we hold claims on: both count against its throttle. */
function runningTasks(snapshot: Snapshot, live: ReadonlySet<JobRef>): Map<number, number> {
  const count = new Map<number, number>();
  for (const j of snapshot.jobs) {
    if (j.arrayJobId === undefined || (j.state === 'PENDING' && !live.has(j.ref))) continue;
    count.set(j.arrayJobId, (count.get(j.arrayJobId) ?? 0) + 1);
  }
  // A task that is ours and not split off yet has no line of its own.
  const tasks = [...live].filter((ref) => ref.includes('_'));
  if (tasks.length === 0) return count;
  const lines = new Set(snapshot.jobs.map((j) => j.ref));
  for (const ref of tasks) {
    const array = /^(\d+)_\d+$/.exec(ref)?.[1];
    if (array !== undefined && !lines.has(ref)) count.set(Number(array), (count.get(Number(array)) ?? 0) + 1);
  }
  return count;
}

function roomOf(job: Job, running: ReadonlyMap<number, number>): number | undefined {
  if (job.arrayJobId === undefined || job.arrayTask === undefined) return undefined;
  const { throttle } = expandedTasks(job.arrayTask);
  return throttle === undefined ? undefined : throttle - (running.get(job.arrayJobId) ?? 0);
}
