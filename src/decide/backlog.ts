import { expandArray } from '../domain/array.ts';
import type { Decision } from '../domain/decision.ts';
import { type Instant, type JobRef, jobRef } from '../domain/ids.ts';
import type { Job, Snapshot } from '../domain/job.ts';
import type { ClusterSetup, Policy } from '../domain/policy.ts';
import type { Resources } from '../domain/resources.ts';
import { type Begun, decide, Sayings } from './decide.ts';
import type { StartForecast } from './foresight.ts';
import { worstCaseOf } from './price.ts';
import { type BudgetLeft, Purse } from './purse.ts';
import { Climb } from './ramp-day.ts';
import type { OfferedGroup, RuleContext, WorstCase } from './rule.ts';

export interface BacklogInput {
  readonly snapshot: Snapshot;
  readonly now: Instant;
  readonly setup: ClusterSetup;
  readonly policy: Policy;
  readonly groups: readonly OfferedGroup[];
  readonly stop: RuleContext['stop'];
  /** Jobs that have a live burst: decided already. */
  readonly live: ReadonlySet<JobRef>;
  readonly liveBursts: number;
  readonly lastReturnAt: ReadonlyMap<JobRef, Instant>;
  /** Of the hard ones. */
  readonly budgets: readonly BudgetLeft[];
  readonly ramp?: RuleContext['ramp'];
  /** What every pod needs besides its job. */
  readonly beside: Resources;
  /** When it would start here. */
  forecast(job: Job): StartForecast | undefined;
  readonly readyIn: RuleContext['readyIn'];
  /** What a full look at this job said not long ago, where that was a no: it takes no place from others. */
  examined(job: Job): Decision | undefined;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export interface Decided {
  readonly job: Job;
  readonly decision: Decision;
}

/** At most so many tasks of one array are looked at in a turn; the rest come in the next. */
const tasksAtOnce = 200;

/**
 * One look over the whole queue, oldest and most important first as Slurm orders it: priority, then submit time. Pure: the
 * same snapshot gives the same decisions.
 */
export function decideBacklog(input: BacklogInput): readonly Decided[] {
  const { snapshot, now, setup, policy, groups, live, lastReturnAt } = input;
  const ours = new Set([...setup.watch, ...(setup.explicit === undefined ? [] : [setup.explicit])]);
  const pending: Job[] = [];
  for (const line of snapshot.jobs) {
    if (line.state !== 'PENDING' || !isIn(line.partition, ours)) continue;
    for (const job of tasksOf(line)) if (!live.has(job.ref)) pending.push(job);
  }
  pending.sort((a, b) => b.priority - a.priority || a.submitAt - b.submitAt || a.id - b.id);
  const running = runningTasks(snapshot, live);
  const purse = new Purse(input.budgets);
  const climb = input.ramp && new Climb(input.ramp);
  const costs = new Map<string, WorstCase>();
  // Many jobs ask for the same.
  const worstCase = (job: Pick<Job, 'cpus' | 'timeLimitMs'>): WorstCase => {
    const key = `${job.cpus}/${job.timeLimitMs}`;
    const cost = costs.get(key) ?? worstCaseOf(job, groups, input.beside, policy.limitMarginMs);
    costs.set(key, cost);
    return cost;
  };
  const turn = { now, snapshot, setup, policy, groups, stop: input.stop };
  const sayings = new Sayings(turn);
  const budgetLeft = (account: string) => purse.left(account);
  const pendingFor = new Map<string, number[]>();
  const begun: Begun[] = [];
  for (const job of pending) {
    const first = sayings.begin(job);
    begun.push(first);
    if (!first.might || input.examined(job) !== undefined) continue;
    for (const name of partitionsOf(job)) {
      const ages = pendingFor.get(name) ?? [];
      ages.push(Math.max(0, now - (job.eligibleAt ?? job.submitAt)));
      pendingFor.set(name, ages);
    }
  }
  for (const ages of pendingFor.values()) ages.sort((a, b) => a - b);
  let alive = input.liveBursts;
  const decided: Decided[] = [];
  // One for all, as no rule keeps it: of a hundred thousand the collector would feel each.
  const context: Mutable<RuleContext> = {
    ...turn,
    ...{
      job: pending[0] as Job,
      liveBursts: 0,
      lastReturnAt: undefined,
      arrayRoom: undefined,
      forecast: undefined,
    },
    ...{ pendingFor, budgetLeft, worstCase, readyIn: input.readyIn, ramp: climb },
  };
  for (const [i, job] of pending.entries()) {
    context.job = job;
    context.liveBursts = alive;
    context.lastReturnAt = lastReturnAt.get(job.ref);
    context.forecast = input.forecast(job);
    context.arrayRoom = roomOf(job, running);
    const first = decide(context, sayings, begun[i]);
    const decision = (first.verdict === 'burst' ? input.examined(job) : undefined) ?? first;
    decided.push({ job, decision });
    if (decision.verdict !== 'burst') continue;
    alive += 1;
    const cost = input.budgets.length === 0 ? undefined : worstCase(job);
    if (cost?.kind === 'known') purse.take(job.account, cost.price.held);
    climb?.take(worstCase(job));
    if (job.arrayJobId !== undefined) running.set(job.arrayJobId, (running.get(job.arrayJobId) ?? 0) + 1);
  }
  return decided;
}

const partitionsOf = ({ partition }: Pick<Job, 'partition'>): readonly string[] =>
  partition.includes(',') ? partition.split(',') : [partition];

const isIn = (partition: string, names: ReadonlySet<string>): boolean =>
  names.has(partition) || (partition.includes(',') && partition.split(',').some((p) => names.has(p)));

/** A pending array is one line until its tasks start: each of its first tasks is a job of its own here. */
export function tasksOf(job: Job): readonly Job[] {
  if (job.arrayJobId === undefined || job.arrayTask === undefined || /^\d+$/.test(job.arrayTask))
    return [job];
  const { indices } = expandArray(job.arrayTask, tasksAtOnce);
  return indices.map((i) => ({ ...job, ref: jobRef(`${job.arrayJobId}_${i}`) }));
}

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
  const { throttle } = expandArray(job.arrayTask, 0);
  return throttle === undefined ? undefined : throttle - (running.get(job.arrayJobId) ?? 0);
}
