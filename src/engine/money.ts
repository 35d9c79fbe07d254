/** What budgets and ramp say of a job in the node group that is bought for it, which need not be the one of which the rules were asked. */

import type { Priced } from '../decide/priced.ts';
import type { Purse } from '../decide/purse.ts';
import type { Climb } from '../decide/ramp-day.ts';
import type { Judged, OfferedGroup } from '../decide/rule.ts';
import { affordable, budget } from '../decide/rules/budget.ts';
import { onRamp, ramp } from '../decide/rules/ramp.ts';
import type { RuleVerdict } from '../domain/decision.ts';
import type { Job } from '../domain/job.ts';
import type { Policy } from '../domain/policy.ts';

export interface Means {
  readonly policy: Policy;
  /** What this turn left of each. */
  readonly purse: Purse;
  readonly climb: Climb | undefined;
  /** Whether there are several node groups, so that the words name one. */
  readonly several: boolean;
}

export interface MoneySaid {
  readonly budget: Judged;
  readonly ramp: Judged;
}

/** `cost`: of the job there, at most. */
export function moneySays(
  job: Job,
  cost: Priced,
  { group }: OfferedGroup,
  { policy, purse, climb, several }: Means,
): MoneySaid {
  const worstCase = () => (several ? { ...cost, group: group.name } : cost);
  return {
    budget: affordable({ job, policy, budgetLeft: (owner) => purse.left(owner), worstCase }),
    ramp: onRamp({ job, ramp: climb, worstCase }),
  };
}

/** Undefined: nothing of it says no. */
export const unfunded = (said: MoneySaid): string | undefined =>
  [said.budget, said.ramp].find(({ pass }) => !pass)?.measured;

/** A decision's rows with these in their places. */
export const withMoney = (because: readonly RuleVerdict[], said: MoneySaid): readonly RuleVerdict[] =>
  because.map((r) =>
    r.rule === budget.name ? { ...r, ...said.budget } : r.rule === ramp.name ? { ...r, ...said.ramp } : r,
  );
