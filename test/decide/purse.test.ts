/** What is left for whom, where budgets of accounts, users and all overlap. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { budgetsFor, budgetsOf } from '../../src/decide/funding.ts';
import { type BudgetLeft, Purse } from '../../src/decide/purse.ts';
import type { Budget } from '../../src/domain/money.ts';
import { countsFor } from '../../src/domain/money.ts';

const account = fc.constantFrom('a', 'b', 'c', 'B');
const user = fc.constantFrom('u', 'v', 'w');
const owner = fc.record({ account, user });
const maybe = <T>(of: fc.Arbitrary<T>) => fc.option(of, { nil: undefined });
const left: fc.Arbitrary<BudgetLeft> = fc.record({
  ...{ account: maybe(account), user: maybe(user) },
  ...{ left: fc.integer({ min: -5, max: 50 }), source: fc.string() },
});

it('the tightest that counts is what is left, after whatever was taken', () => {
  fc.assert(
    fc.property(
      fc.array(left, { maxLength: 12 }),
      fc.array(fc.record({ by: owner, micro: fc.integer({ min: 0, max: 9 }) })),
      owner,
      (budgets, takes, asking) => {
        const purse = new Purse(budgets);
        for (const { by, micro } of takes) purse.take(by, micro);
        const lefts = budgets
          .filter((b) => countsFor(b, asking))
          .map((b) => b.left - takes.filter((t) => countsFor(b, t.by)).reduce((sum, t) => sum + t.micro, 0));
        expect(purse.left(asking)?.left).toBe(lefts.length === 0 ? undefined : Math.min(...lefts));
      },
    ),
  );
});

it('an account is the same however it is written, as Slurm takes it', () => {
  const budget: Budget = { account: 'Physics', microUsd: 5, per: 'total', hard: true };
  expect(budgetsFor([budget], { account: 'physics', user: 'u' })).toEqual([budget]);
  const purse = new Purse([{ account: 'physics', left: 5 }]);
  purse.take({ account: 'PHYSICS', user: 'u' }, 2);
  expect(purse.left({ account: 'Physics', user: 'v' })?.left).toBe(3);
});

it('the budgets of one owner, and of many, are those that count for them', () => {
  const budget = left.map((b): Budget => ({ ...b, microUsd: b.left, per: 'total', hard: true }));
  fc.assert(
    fc.property(fc.array(budget), fc.array(owner), owner, (budgets, owners, one) => {
      const counting = (who: typeof owners) => budgets.filter((b) => who.some((o) => countsFor(b, o)));
      expect(new Set(budgetsFor(budgets, one))).toEqual(new Set(counting([one])));
      expect(new Set(budgetsOf(budgets, owners))).toEqual(new Set(counting(owners)));
    }),
  );
});
