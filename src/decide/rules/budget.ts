import { dollars, sourceOf, whose } from '../../domain/money.ts';
import { budgetsFor, unfunded } from '../funding.ts';
import type { JobRule, Judged, RuleContext } from '../rule.ts';

/**
 * Whether the most that this job could cost in the node group by which it is judged fits what is left of the tightest hard budget that counts for it. The hold at the
 * commit has the last word.
 */
export const budget: JobRule = { name: 'budget', of: 'job', otherwise: 'wait', judge: affordable };

type Asked = Pick<RuleContext, 'policy' | 'budgetLeft' | 'worstCase'> & {
  readonly job: Pick<RuleContext['job'], 'account' | 'user' | 'cpus' | 'minNodes' | 'timeLimitMs'>;
};

export function affordable({ job, policy, budgetLeft, worstCase }: Asked): Judged {
  const limit = 'the most that it can cost is known, and left of every hard budget';
  const why = unfunded(policy, job);
  if (why !== undefined) return { pass: false, measured: why, limit };
  if (budgetsFor(policy.budgets, job).length === 0) return { pass: true, measured: 'no budget', limit };
  const cost = worstCase(job);
  if (cost.kind === 'nothing') return { pass: true, measured: 'nothing would be bought', limit };
  if (cost.kind === 'unknown')
    return { pass: false, measured: `what it could cost is not known: ${cost.why}`, limit };
  const most = `${dollars(cost.price.held)} at most${cost.group === undefined ? '' : ` in ${cost.group}`}`;
  const tightest = budgetLeft(job);
  if (tightest === undefined) return { pass: true, measured: `${most}, no hard budget`, limit };
  const { left } = tightest;
  const has = `${most}, ${dollars(left)} left for ${whose(tightest)} (${sourceOf(tightest)})`;
  const short = cost.price.held - left;
  if (short <= 0) return { pass: true, measured: has, limit };
  // To the next cent: what a person adds must be enough.
  const cents = Math.ceil(short / 10_000) / 100;
  return { pass: false, measured: `${has}: would fit with ${cents.toFixed(2)} dollars more`, limit };
}
