import { assertNever } from '../../domain/fault.ts';
import { partitionsOf } from '../../domain/job.ts';
import type { Condition } from '../../domain/policy.ts';
import { backlog } from '../conditions/backlog.ts';
import { cel } from '../conditions/cel.ts';
import { missesDeadline } from '../conditions/deadline.ts';
import { race } from '../conditions/race.ts';
import { short } from '../conditions/short.ts';
import { waited } from '../conditions/waited.ts';
import { worth } from '../conditions/worth.ts';
import type { JobRule, Judged, RuleContext } from '../rule.ts';

/** Who asked for the cloud by partition has it. Others burst when any one of the site's conditions holds. */
export const burstWhen: JobRule = {
  name: 'burst-when',
  of: 'job',
  otherwise: 'wait',
  judge(context) {
    const { job, setup, policy } = context;
    if (setup.explicit !== undefined && partitionsOf(job).includes(setup.explicit))
      return {
        pass: true,
        measured: `asked for by partition ${setup.explicit}`,
        limit: 'asked for, or a condition of the policy',
      };
    if (policy.burstWhen.length === 0)
      return { pass: false, measured: 'not asked for by partition', limit: 'the policy has no condition' };
    if (policy.burstWhen.length === 1) return judge(policy.burstWhen[0] as Condition, context);
    const said = policy.burstWhen.map((condition) => judge(condition, context));
    const limit = limitOf(policy.burstWhen, said);
    const holds = said.find((s) => s.pass);
    return holds === undefined
      ? { pass: false, measured: [...new Set(said.map((s) => s.measured))].join('; '), limit }
      : { pass: true, measured: holds.measured, limit };
  },
};

/** The same for every job: expressions are long, and of a hundred thousand receipts each would hold its own. */
const limits = new WeakMap<readonly Condition[], string>();

function limitOf(conditions: readonly Condition[], said: readonly Judged[]): string {
  const limit = limits.get(conditions) ?? said.map((s) => s.limit).join(', or ');
  limits.set(conditions, limit);
  return limit;
}

function judge(condition: Condition, context: RuleContext): Judged {
  switch (condition.kind) {
    case 'backlog':
      return backlog(condition, context);
    case 'race':
      return race(condition, context);
    case 'waited':
      return waited(condition, context);
    case 'short':
      return short(condition, context);
    case 'worth':
      return worth(condition, context);
    case 'deadline':
      return missesDeadline(condition, context);
    case 'cel':
      return cel(condition, context);
    default:
      return assertNever(condition);
  }
}
