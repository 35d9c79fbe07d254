import type { BurstCostView, QueueJobView } from '../../../api/portal-schemas.ts';
import { ungrantedStates } from '../../../domain/burst.ts';

/** What the API does to one job, and this page to many. */
export const actions = ['approve', 'decline', 'hold', 'release', 'cancel'] as const;
export type Action = (typeof actions)[number];
/** Said of a burst; the others are said of a job, to Slurm. */
export const ofBurst = (action: Action): action is 'approve' | 'decline' =>
  action === 'approve' || action === 'decline';

/** So many rows at once: what the API tells the costs of in one question. */
export const rowsAtMost = 500;

/** One call. */
export interface Item {
  readonly key: string;
  readonly cluster: string;
  readonly job: string;
  readonly name: string;
  readonly user: string;
  readonly account: string;
  /** What is said of a burst is said of this one. */
  readonly burst: string | undefined;
  readonly money: Money;
}

/** Of bursts under way, in micro-dollars; `unknown`: of so many of them nothing is known. */
export interface Sum {
  readonly microUsd: number;
  readonly unknown: number;
}

export interface Money {
  readonly bursts: number;
  readonly expected: Sum;
  readonly most: Sum;
}

/** Why a job that was chosen is left out. */
export const leftOut = [
  ...([
    'no_quote',
    'not_waiting',
    'held',
    'not_held',
    'held_by_admin',
    'over',
    'whole_array',
    'gone',
  ] as const),
] as const;
export type LeftOut = (typeof leftOut)[number];

export interface Plan {
  readonly items: readonly Item[];
  readonly money: Money;
  /** Jobs that are left out, counted by why. */
  readonly left: ReadonlyMap<LeftOut, number>;
}

const over = new Set<QueueJobView['state']>([
  ...(['COMPLETED', 'CANCELLED', 'FAILED', 'TIMEOUT', 'NODE_FAIL', 'PREEMPTED', 'BOOT_FAIL'] as const),
  ...(['DEADLINE', 'OUT_OF_MEMORY', 'REVOKED'] as const),
]);

/**
 * What is begun of an action on these rows, what it is about in dollars, and what is left out and why. Of those that left the list nothing
 * is begun: one that was chosen while it waited may run by now.
 */
export function planOf(
  action: Action,
  rows: readonly QueueJobView[],
  costs: readonly BurstCostView[],
  gone: ReadonlySet<string> = new Set(),
): Plan {
  const lines = new Map<string, BurstCostView[]>();
  for (const cost of costs) {
    const [array = ''] = cost.job.split('_');
    for (const line of new Set([cost.job, array])) {
      const key = `${cost.cluster}/${line}`;
      lines.set(key, [...(lines.get(key) ?? []), cost]);
    }
  }
  const items = new Map<string, Item>();
  const counted = new Map<string, BurstCostView>();
  const left = new Map<LeftOut, number>();
  for (const row of rows) {
    const own = lines.get(`${row.cluster}/${row.job}`) ?? [];
    const why = gone.has(`${row.cluster}/${row.job}`) ? 'gone' : leftBecause(action, row, own);
    if (why !== undefined) {
      left.set(why, (left.get(why) ?? 0) + 1);
      continue;
    }
    // An array that waits and one of its tasks may both be chosen: a burst is answered, and its dollars count, once.
    const about = own.filter((cost) => isAbout(action, cost));
    for (const cost of about) counted.set(cost.burst, cost);
    for (const item of itemsOf(action, row, about)) items.set(item.key, item);
  }
  return { items: [...items.values()], money: total([...counted.values()].map(moneyOf)), left };
}

/** A hold and a release touch no task that has begun to run. */
function isAbout(action: Action, { open, state }: BurstCostView): boolean {
  if (ofBurst(action)) return open;
  return action === 'cancel' || ungrantedStates.has(state);
}

/** What of an array waits is one line until its tasks start. */
const ofManyTasks = ({ arrayTask }: QueueJobView): boolean =>
  arrayTask !== undefined && !/^\d+$/.test(arrayTask);

function leftBecause(
  action: Action,
  row: QueueJobView,
  costs: readonly BurstCostView[],
): LeftOut | undefined {
  const { state, reason } = row;
  switch (action) {
    case 'approve':
    case 'decline':
      return costs.some((c) => c.open) ? undefined : 'no_quote';
    case 'hold':
      if (state !== 'PENDING') return 'not_waiting';
      return reason.startsWith('JobHeld') ? 'held' : undefined;
    case 'release':
      if (reason.startsWith('JobHeldAdmin')) return 'held_by_admin';
      return reason.startsWith('JobHeld') ? undefined : 'not_held';
    case 'cancel':
      if (over.has(state)) return 'over';
      // By its number all its tasks would go, those that run with them, which may be none of the chosen.
      return ofManyTasks(row) ? 'whole_array' : undefined;
  }
}

function itemsOf(
  action: Action,
  { cluster, job, name, user, account }: QueueJobView,
  costs: readonly BurstCostView[],
): readonly Item[] {
  if (!ofBurst(action)) {
    const who = { cluster, job, name, user, account };
    return [{ ...who, key: `${cluster}/${job}`, burst: undefined, money: total(costs.map(moneyOf)) }];
  }
  return costs.map((c) => ({
    ...{ cluster: c.cluster, job: c.job, name: c.name, user: c.user, account: c.account },
    ...{ key: `${c.cluster}/${c.job}/${c.burst}`, burst: c.burst, money: moneyOf(c) },
  }));
}

const sumOf = (microUsd: number | undefined): Sum => ({
  microUsd: microUsd ?? 0,
  unknown: microUsd === undefined ? 1 : 0,
});

const moneyOf = ({ expectedMicroUsd, maxMicroUsd }: BurstCostView): Money => ({
  ...{ bursts: 1, expected: sumOf(expectedMicroUsd), most: sumOf(maxMicroUsd) },
});

function total(all: readonly Money[]): Money {
  const add = (of: (m: Money) => Sum): Sum => ({
    microUsd: all.reduce((sum, m) => sum + of(m).microUsd, 0),
    unknown: all.reduce((sum, m) => sum + of(m).unknown, 0),
  });
  return {
    bursts: all.reduce((sum, m) => sum + m.bursts, 0),
    expected: add((m) => m.expected),
    most: add((m) => m.most),
  };
}
