import type { Router } from 'express';
import { z } from 'zod';
import { sourceOf } from '../../domain/money.ts';
import type { BudgetState } from '../../engine/gateway.ts';
import { queryOf } from '../query.ts';
import { type BudgetView, iso } from '../schemas.ts';

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

const nothing = z.strictObject({});

/** GET /api/v1/budgets, as they stand now. */
export function budgets(router: Router, gateway: BudgetsFacade): void {
  router.get('/budgets', async (req, res) => {
    if (queryOf(nothing, req, res) === undefined) return;
    res.json({ budgets: (await gateway.budgets()).map(viewOf) });
  });
}
