import type { MicroUsd, Owner, Whose } from '../domain/money.ts';
import { Owners } from './owners.ts';

/** What is left of one hard budget. */
export interface BudgetLeft extends Whose {
  readonly left: MicroUsd;
  /** [domain/money.ts, Budget] */
  readonly source?: string | undefined;
}

/** What is left of the hard budgets while one cycle goes on: what it approved is taken out before the ledger has it. */
export class Purse {
  readonly #budgets: readonly (Omit<BudgetLeft, 'left'> & { left: MicroUsd })[];
  readonly #owners: Owners<Omit<BudgetLeft, 'left'> & { left: MicroUsd }>;

  constructor(budgets: readonly BudgetLeft[]) {
    this.#budgets = budgets.map((b) => ({ ...b }));
    this.#owners = new Owners(this.#budgets);
  }

  get budgets(): readonly BudgetLeft[] {
    return this.#budgets.map((b) => ({ ...b }));
  }

  /** The tightest that counts for the owner; undefined: none does. */
  left(owner: Owner): BudgetLeft | undefined {
    let tightest: BudgetLeft | undefined;
    for (const b of this.#owners.of(owner))
      if (tightest === undefined || b.left < tightest.left) tightest = b;
    return tightest;
  }

  take(owner: Owner, microUsd: MicroUsd): void {
    for (const b of this.#owners.of(owner)) b.left -= microUsd;
  }
}
