import type { Budget, Owner } from '../domain/money.ts';
import type { Policy } from '../domain/policy.ts';
import { Owners } from './owners.ts';

export type Funds = Pick<Policy, 'budgets' | 'budgetsUnknown' | 'listedIn'>;

/** Whether money may be spent for this owner at all, whatever it costs; undefined: it may, else why not. */
export function unfunded({ budgets, budgetsUnknown, listedIn }: Funds, owner: Owner): string | undefined {
  if (budgetsUnknown !== undefined) return `the budgets are not known: ${budgetsUnknown}`;
  // A budget of all accounts together says of nobody that they may spend.
  if (listedIn === undefined || ownersOf(budgets).naming(owner).length > 0) return undefined;
  return `account ${owner.account} has no budget in ${listedIn}`;
}

/** The budgets that count for this owner. */
export const budgetsFor = (budgets: readonly Budget[], owner: Owner): readonly Budget[] =>
  budgets.length === 0 ? budgets : ownersOf(budgets).of(owner);

/** The budgets that count for any of them. */
export function budgetsOf(budgets: readonly Budget[], owners: Iterable<Owner>): readonly Budget[] {
  if (budgets.length === 0) return [];
  const asked = new Set<string>();
  const found = new Set<Budget>();
  for (const owner of owners) {
    const key = `${owner.account}/${owner.user}`;
    if (asked.has(key)) continue;
    asked.add(key);
    for (const b of budgetsFor(budgets, owner)) found.add(b);
  }
  return [...found];
}

const known = new WeakMap<readonly Budget[], Owners<Budget>>();

function ownersOf(budgets: readonly Budget[]): Owners<Budget> {
  let owners = known.get(budgets);
  if (owners === undefined) {
    owners = new Owners(budgets);
    known.set(budgets, owners);
  }
  return owners;
}
