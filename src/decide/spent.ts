import type { Burst } from '../domain/burst.ts';
import type { BurstId } from '../domain/ids.ts';
import { type Budget, countsFor, type MicroUsd } from '../domain/money.ts';
import { spentBy } from './price.ts';

/**
 * The bursts that a hard budget does not hold any more, because it was lowered, or some ran for longer than was held for. The oldest first,
 * each keeps its hold where that still fits beside what all of them have cost already. `spent`: of those that are settled, read before `live` was:
 * one that was settled in between is then missing, and never counts twice.
 */
export function notHeldBy(
  budget: Budget,
  spent: MicroUsd,
  live: readonly Burst[],
  at: number,
): readonly BurstId[] {
  const own = live
    .filter((b) => b.price !== undefined && countsFor(budget, b))
    .sort((a, b) => a.createdAt - b.createdAt)
    .map((b) => ({ id: b.id, held: b.price?.held ?? 0, cost: spentBy(b, at) }));
  let total = spent + own.reduce((sum, b) => sum + b.cost, 0);
  const over: BurstId[] = [];
  for (const { id, held, cost } of own) {
    const more = Math.max(0, held - cost);
    if (total + more > budget.microUsd) over.push(id);
    else total += more;
  }
  return over;
}
