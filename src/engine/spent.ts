import { budgetsOf } from '../decide/funding.ts';
import { notHeldBy } from '../decide/spent.ts';
import type { Burst } from '../domain/burst.ts';
import type { BurstId, Instant } from '../domain/ids.ts';
import { type Budget, periodStart } from '../domain/money.ts';
import type { Cluster } from './context.ts';
import { policyNow } from './funds.ts';

type Spending = Pick<Cluster, 'name' | 'settings' | 'ports'>;

const strictness = { finish: 0, requeue: 1, cancel: 2 } as const;
const strict = (b: Budget | undefined): number =>
  b === undefined ? -1 : strictness[b.onExhausted ?? 'finish'];

/** Which live bursts a hard budget does not hold any more, each with the budget that is strictest with it; those are woken by the caller. */
export async function spentBudgets(
  { name, settings, ports }: Spending,
  live: readonly Burst[],
  at: Instant,
): Promise<ReadonlyMap<BurstId, Budget>> {
  const found = new Map<BurstId, Budget>();
  const hard = budgetsOf(policyNow(settings, at).budgets, live).filter((b) => b.hard);
  if (hard.length === 0 || live.every((b) => b.price === undefined)) return found;
  const spent = await Promise.all(
    hard.map((b) =>
      ports.store.money(name, { account: b.account, user: b.user, since: periodStart(b.per, at) }),
    ),
  );
  // Read after what was settled.
  const now = await ports.store.liveBursts(name);
  hard.forEach((budget, i) => {
    for (const id of notHeldBy(budget, spent[i]?.spent ?? 0, now, at))
      if (strict(budget) > strict(found.get(id))) found.set(id, budget);
  });
  return found;
}
