import { dollars } from '../../domain/money.ts';
import type { Rule } from '../rule.ts';

/** Whether anything is left of the account's hard budgets; what this job holds of it is asked when it is reserved. */
export const budget: Rule = {
  name: 'budget',
  otherwise: 'wait',
  judge({ job, budgetLeft }) {
    const left = budgetLeft(job.account);
    if (left === undefined)
      return { pass: true, measured: 'no hard budget', limit: 'something left of every hard budget' };
    return {
      pass: left > 0,
      measured: `${dollars(left)} left for account ${job.account}`,
      limit: 'something left of every hard budget',
    };
  },
};
