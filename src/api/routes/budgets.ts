import { z } from 'zod';
import { coordinates, seesOnly } from '../../domain/caller.ts';
import { sourceOf } from '../../domain/money.ts';
import type { BudgetState } from '../../engine/gateway.ts';
import { type Operation, operation } from '../operation.ts';
import { type BudgetView, budgetView, iso } from '../schemas.ts';

export function viewOf(b: BudgetState): BudgetView {
  return {
    cluster: b.cluster,
    ...(b.account === undefined ? {} : { account: b.account }),
    ...(b.user === undefined ? {} : { user: b.user }),
    source: sourceOf(b),
    per: b.per,
    since: iso(b.since),
    hard: b.hard,
    limitMicroUsd: b.microUsd,
    heldMicroUsd: b.held,
    spentMicroUsd: b.spent,
  };
}

export interface BudgetsFacade {
  budgets(): Promise<readonly BudgetState[]>;
}

/** Budgets as they stand now; a user sees those that are his own, and of accounts that he coordinates. */
export function budgets(gateway: BudgetsFacade): readonly Operation[] {
  return [
    operation({
      ...{ id: 'listBudgets', method: 'get', path: '/budgets', role: 'user' },
      says: 'Budgets, with what is held and spent of each; of a user, those of his name and of accounts that he coordinates.',
      answer: z.strictObject({ budgets: z.array(budgetView) }),
      act: async ({ caller }) => {
        const only = seesOnly(caller);
        const all = await gateway.budgets();
        const seen = all.filter(
          (b) => only === undefined || b.user === only || coordinates(caller, b.cluster, b.account),
        );
        return { budgets: seen.map(viewOf) };
      },
    }),
  ];
}
