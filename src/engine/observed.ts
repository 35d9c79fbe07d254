/** What mode observe says of a job that would burst. */
import type { Choice } from '../decide/choose.ts';
import { worstCaseOf } from '../decide/price.ts';
import type { Priced } from '../decide/priced.ts';
import type { OfferedGroup } from '../decide/rule.ts';
import type { Decision } from '../domain/decision.ts';
import type { Job } from '../domain/job.ts';
import { keeperNeeds } from '../translate/index.ts';
import { byLine, type Choosing, chooseFor, type Sees } from './choose.ts';
import { type Means, moneySays, unfunded, withMoney } from './money.ts';

/**
 * What would be bought for it by its line alone, and what budgets and ramp say of that group: as a burst is begun, but for what only the job in full
 * tells. What it would take is not left for the next.
 */
export function observed(
  engine: Choosing,
  job: Job,
  decision: Decision,
  sees: Sees,
  means: Means,
): { readonly decision: Decision; readonly choice: Choice | undefined } {
  const most = (of: OfferedGroup): Priced => {
    const cost = worstCaseOf(job, [of], keeperNeeds, means.policy.limitMarginMs);
    return cost.kind === 'nothing' ? { kind: 'unknown', why: `${of.group.name} does not hold it` } : cost;
  };
  const asked = {
    ...byLine(job, decision.group),
    unfunded: (of: OfferedGroup) => unfunded(moneySays(job, most(of), of, means)),
  };
  const choice = chooseFor(engine, job, asked, sees);
  const taken = choice?.taken.offered ?? engine.offered.find(({ group }) => group.name === decision.group);
  if (taken === undefined) return { decision, choice };
  const cost = most(taken);
  const said = moneySays(job, cost, taken, means);
  const because = withMoney(decision.because, said);
  if (unfunded(said) !== undefined)
    return { decision: { verdict: 'wait', because, group: undefined }, choice: undefined };
  if (cost.kind === 'known') means.purse.take(job, cost.price.held);
  means.climb?.take(cost);
  return { decision: { verdict: 'burst', because, group: taken.group.name }, choice };
}
