import type { Expression } from '../../domain/expression.ts';
import { assertNever } from '../../domain/fault.ts';
import type { NeverRule, Policy } from '../../domain/policy.ts';
import { inWords, isOfJob, jobFacts, movesOn } from '../facts.ts';
import type { Judged, Shape, ShapeContext, ShapeRule, TurnContext } from '../rule.ts';

type Cel = Extract<NeverRule, { readonly kind: 'cel' }>;

/** The site's own list of what never bursts. Expressions over forecast or offer are never-now's. */
export const never: ShapeRule = {
  name: 'never',
  of: 'shape',
  otherwise: 'never',
  key: (job, turn) => `${job.account}|${job.minNodes}|${job.partition}${factsKey(job, turn)}`,
  judge(context) {
    const { policy } = context;
    const limit = `none of ${policy.never.length} never-rules`;
    let forNow: Judged | undefined;
    for (const rule of policy.never) {
      const said = rule.kind === 'cel' ? told(rule, context) : matches(rule, context.job) && describe(rule);
      if (said === false) continue;
      if (typeof said === 'string') return { pass: false, measured: said, limit };
      forNow ??= { pass: false, measured: said.why, limit, forNow: true };
    }
    return forNow ?? { pass: true, measured: 'no rule matches', limit };
  },
};

/** By each value that an expression over the job names: what is the same in all of them is told the same. */
function factsKey(job: Shape, turn: TurnContext): string {
  let key = '';
  for (const rule of turn.policy.never) {
    if (rule.kind !== 'cel') continue;
    const expression = expressionOf(rule, turn.policy);
    if (expression !== undefined && isOfJob(expression))
      for (const fact of jobFacts(expression, { job, now: turn.now })) key += `|${JSON.stringify(fact)}`;
  }
  return key;
}

/** What it says of the job if it is true; `why` where that may change with time, or cannot be told. */
function told(rule: Cel, context: ShapeContext): false | string | { readonly why: string } {
  const expression = expressionOf(rule, context.policy);
  if (expression === undefined) return { why: `${rule.expr}: no expression can be told here` };
  if (!isOfJob(expression)) return false;
  const said = sayOf(rule, expression, jobFacts(expression, context));
  return typeof said === 'string' && movesOn(expression) ? { why: said } : said;
}

export function sayOf(
  { expr }: Cel,
  expression: Expression,
  facts: Parameters<Expression['tell']>[0],
): false | string | { readonly why: string } {
  const said = expression.tell(facts);
  if (said === false) return false;
  const words = `${expr} (${inWords(expression, facts)})`;
  return said === true ? words : { why: `${words}: cannot be told (${said.why})` };
}

export const expressionOf = ({ expr }: Cel, policy: Policy): Expression | undefined =>
  policy.expressions?.(expr);

function matches(rule: Exclude<NeverRule, Cel>, job: Shape): boolean {
  switch (rule.kind) {
    case 'nodesAbove':
      return job.minNodes > rule.nodes;
    case 'account':
      return job.account === rule.account;
    case 'partition':
      return job.partition.split(',').includes(rule.partition);
    default:
      return assertNever(rule);
  }
}

function describe(rule: Exclude<NeverRule, Cel>): string {
  return Object.entries(rule)
    .filter(([k]) => k !== 'kind')
    .map(([, v]) => `${rule.kind}: ${v}`)
    .join(', ');
}
