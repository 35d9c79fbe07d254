import { factsOf, isOfJob } from '../facts.ts';
import type { JobRule } from '../rule.ts';
import { expressionOf, sayOf } from './never.ts';

/** Expressions of `policy.never` that look at forecast or offer: those change, so the job waits. What cannot be told holds it back too. */
export const neverNow: JobRule = {
  name: 'never-now',
  of: 'job',
  otherwise: 'wait',
  judge(context) {
    const { policy } = context;
    const limit = 'no never-rule over its forecast or offer';
    let seen = false;
    for (const rule of policy.never) {
      if (rule.kind !== 'cel') continue;
      const expression = expressionOf(rule, policy);
      if (expression === undefined || isOfJob(expression)) continue;
      seen = true;
      const said = sayOf(rule, expression, factsOf(expression, context));
      if (said !== false) return { pass: false, measured: typeof said === 'string' ? said : said.why, limit };
    }
    return { pass: true, measured: seen ? 'no rule matches' : 'there is none', limit };
  },
};
