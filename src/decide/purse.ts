import type { MicroUsd } from '../domain/money.ts';

/** What is left of one hard budget; `account` undefined: it counts for all. */
export interface BudgetLeft {
  readonly account: string | undefined;
  readonly left: MicroUsd;
}

/** What is left of the hard budgets while one cycle goes on: what it approved is taken out before the ledger has it. */
export class Purse {
  readonly #budgets: { readonly account: string | undefined; left: MicroUsd }[];

  constructor(budgets: readonly BudgetLeft[]) {
    this.#budgets = budgets.map((b) => ({ ...b }));
  }

  get budgets(): readonly BudgetLeft[] {
    return this.#budgets.map((b) => ({ ...b }));
  }

  /** Of the tightest that counts for the account; undefined: none does. */
  left(account: string): MicroUsd | undefined {
    const left = this.#of(account).map((b) => b.left);
    return left.length === 0 ? undefined : Math.min(...left);
  }

  take(account: string, microUsd: MicroUsd): void {
    for (const b of this.#of(account)) b.left -= microUsd;
  }

  #of(account: string) {
    return this.#budgets.filter((b) => b.account === undefined || b.account === account);
  }
}
