import { z } from 'zod';
import { type BudgetView, budgetView } from '../api/schemas.ts';
import { dollars } from '../domain/money.ts';
import { type Gateway, readAt } from './ask.ts';
import type { Loose } from './loose.ts';
import { tableOf } from './table.ts';

export const budgetsRead = z.object({ budgets: z.array(budgetView) });

/** `spillway budget`. */
export async function budgetTable(gateway: Gateway, json: boolean): Promise<readonly string[]> {
  const told = await readAt(gateway, 'budgets', budgetsRead);
  if (json) return [JSON.stringify(told, undefined, 2)];
  if (told.budgets.length === 0) return ['no budget is configured'];
  return budgetLines(told.budgets);
}

/** One line each, under a line of what they are. */
export function budgetLines(all: readonly Loose<BudgetView>[]): readonly string[] {
  if (all.length === 0) return [];
  const header = ['budget', 'limit', 'held', 'spent', 'left', 'per', 'kind', 'from'];
  const rows = all.map((b) => {
    const left = b.limitMicroUsd - b.heldMicroUsd - b.spentMicroUsd;
    const whose = b.user ?? b.account ?? 'all';
    const money = [b.limitMicroUsd, b.heldMicroUsd, b.spentMicroUsd, left].map(dollars);
    return [whose, ...money, b.per, b.hard ? 'hard' : 'soft', b.source];
  });
  return tableOf(header, rows);
}
