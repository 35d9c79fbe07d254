import type { Decision, RuleVerdict } from '../domain/decision.ts';
import type { Rule, RuleContext } from './rule.ts';
import { array } from './rules/array.ts';
import { backOff } from './rules/backoff.ts';
import { batch } from './rules/batch.ts';
import { budget } from './rules/budget.ts';
import { burstWhen } from './rules/burst-when.ts';
import { cap } from './rules/cap.ts';
import { never } from './rules/never.ts';
import { nodes } from './rules/nodes.ts';
import { partition } from './rules/partition.ts';
import { pendingReason } from './rules/pending-reason.ts';
import { placement } from './rules/placement.ts';
import { sight } from './rules/sight.ts';
import { groupFor, size } from './rules/size.ts';
import { stopped } from './rules/stopped.ts';
import { time } from './rules/time.ts';

/** In the order in which a person would ask. The first group cannot change by waiting, so it comes first. */
export const rules: readonly Rule[] = [
  partition,
  batch,
  never,
  nodes,
  placement,
  size,
  time,
  stopped,
  sight,
  pendingReason,
  array,
  burstWhen,
  backOff,
  budget,
  cap,
];

/**
 * burst | wait | never, with every rule's word. All rules are asked, so that a receipt shows the whole picture and "what
 * would have made it yes"; one failing `never` rule outweighs any number of `wait`.
 */
export function decide(context: RuleContext): Decision {
  const because: RuleVerdict[] = [];
  let verdict: Decision['verdict'] = 'burst';
  for (const rule of rules) {
    const said = { rule: rule.name, ...rule.judge(context) };
    because.push(said);
    if (said.pass) continue;
    if (rule.otherwise === 'never') verdict = 'never';
    else if (verdict === 'burst') verdict = 'wait';
  }
  const group = verdict === 'burst' ? groupFor(context.job.cpus, context.groups)?.group.name : undefined;
  return { verdict, because, group };
}

/** The decision in one sentence: what stood in the way, or what let it through. */
export function inWords(decision: Decision): string {
  const failed = decision.because.filter((r) => !r.pass);
  const say = (r: RuleVerdict): string => `${r.rule}: ${r.measured} (needed: ${r.limit})`;
  if (decision.verdict === 'burst') {
    const why = decision.because.find((r) => r.rule === burstWhen.name);
    return `bursts to node group ${decision.group}: ${why === undefined ? 'all rules pass' : why.measured}`;
  }
  return `${decision.verdict === 'never' ? 'never bursts' : 'waits'}: ${failed.map(say).join('; ')}`;
}
