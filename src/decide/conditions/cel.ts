import type { Expression } from '../../domain/expression.ts';
import { factsOf, inWords } from '../facts.ts';
import type { Judged, RuleContext } from '../rule.ts';
import type { Of } from './condition.ts';

/** The site's own expression. What cannot be told does not hold, and why stands in the receipt. */
export function cel({ expr }: Of<'cel'>, context: RuleContext): Judged {
  const expression = context.policy.expressions?.(expr);
  if (expression === undefined)
    return { pass: false, measured: 'no expression can be told here', limit: expr };
  const facts = factsOf(expression, context);
  // Most jobs of a long queue lack the same: an evaluation that fails takes ten times as long.
  const told = lacks(expression, facts) ? false : expression.tell(facts);
  const measured = inWords(expression, facts);
  return typeof told === 'boolean'
    ? { pass: told, measured, limit: expr }
    : { pass: false, measured: `${measured}: cannot be told (${told.why})`, limit: expr };
}

function lacks({ names, needs }: Expression, facts: readonly unknown[]): boolean {
  return names.some((name, i) => facts[i] === undefined && needs.includes(name));
}
