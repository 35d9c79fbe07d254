/** `spillway export ood-balances`: what is left of the budgets, for Open OnDemand's balance warnings. */
import { meView } from '../api/portal-schemas.ts';
import type { BudgetView } from '../api/schemas.ts';
import { CommandError, type Gateway, readAt } from './ask.ts';
import { budgetsRead } from './budget.ts';
import type { Loose } from './loose.ts';
import { count } from './words.ts';

/** All budgets. A token that shows only some would make a file without the others, which reads as if they were well. */
export async function allBudgets(gateway: Gateway): Promise<readonly Loose<BudgetView>[]> {
  const { name, role } = await readAt(gateway, 'me', meView);
  // A role that is new here may see some of them only.
  if (role !== 'operator' && role !== 'admin')
    throw new CommandError(
      `${name} sees only budgets of that name: set SPILLWAY_TOKEN to a token of role operator (spillway token create --role operator)`,
    );
  return (await readAt(gateway, 'budgets', budgetsRead)).budgets;
}

export interface BalancesWritten {
  readonly to: string;
  readonly rows: number;
  readonly siteWide: number;
  readonly without: readonly string[];
}

export function balancesInWords({ to, rows, siteWide, without }: BalancesWritten): readonly string[] {
  const lines = [`${to}: ${count(rows, 'balance')}`];
  if (siteWide > 0)
    lines.push(`left out: ${count(siteWide, 'budget')} of all accounts together, which are nobody's balance`);
  if (without.length > 0)
    lines.push(`no row for ${without.join(', ')}: Slurm has no user with an association there`);
  return lines;
}
