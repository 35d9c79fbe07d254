import type { Decision, RuleVerdict } from '../domain/decision.ts';
import type { Job } from '../domain/job.ts';
import type { Judged, Rule, RuleContext, TurnContext } from './rule.ts';
import { array } from './rules/array.ts';
import { backOff } from './rules/backoff.ts';
import { batch } from './rules/batch.ts';
import { begin } from './rules/begin.ts';
import { budget } from './rules/budget.ts';
import { burstWhen } from './rules/burst-when.ts';
import { cap } from './rules/cap.ts';
import { deadline } from './rules/deadline.ts';
import { drained } from './rules/drained.ts';
import { never } from './rules/never.ts';
import { neverNow } from './rules/never-now.ts';
import { nodes } from './rules/nodes.ts';
import { partition } from './rules/partition.ts';
import { pendingReason } from './rules/pending-reason.ts';
import { placement } from './rules/placement.ts';
import { ramp } from './rules/ramp.ts';
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
  drained,
  sight,
  pendingReason,
  begin,
  array,
  burstWhen,
  neverNow,
  deadline,
  backOff,
  budget,
  ramp,
  cap,
];

/** What was said in one turn, each different word once: a hundred thousand receipts say a few thousand things. */
export class Sayings {
  readonly #turn: TurnContext;
  readonly #once: readonly (RuleVerdict | undefined)[];
  /** By rule, then by its key or, of those that are asked for each job, by what was measured. */
  readonly #said: readonly Map<string | number, RuleVerdict>[] = rules.map(() => new Map());
  readonly #newest: (RuleVerdict | undefined)[] = rules.map(() => undefined);
  /** Words that are a no for now only, whatever their rule says otherwise. */
  readonly #forNow = new WeakSet<RuleVerdict>();

  constructor(turn: TurnContext) {
    this.#turn = turn;
    this.#once = rules.map((rule) =>
      rule.of === 'turn' ? this.#word(rule.name, rule.judge(turn)) : undefined,
    );
  }

  /** What the rule says of a job that fails it. */
  otherwise(rule: Rule, said: RuleVerdict): Rule['otherwise'] {
    return this.#forNow.has(said) ? 'wait' : rule.otherwise;
  }

  #word(rule: string, { pass, measured, limit, forNow }: Judged): RuleVerdict {
    const said = { rule, pass, measured, limit };
    if (forNow === true) this.#forNow.add(said);
    return said;
  }

  /** What can be said of the job without the others of its turn; the rest is left open. */
  begin(job: Job): Begun {
    const because = new Array<RuleVerdict | undefined>(rules.length);
    for (let i = 0; i < rules.length; i++) {
      const rule = rules[i] as Rule;
      if (rule.of !== 'shape') {
        because[i] = this.#once[i];
        continue;
      }
      const known = this.#said[i] as Map<string | number, RuleVerdict>;
      const key = rule.key(job, this.#turn);
      let said = known.get(key);
      if (said === undefined) {
        said = this.#word(rule.name, rule.judge({ ...this.#turn, job }));
        known.set(key, said);
      }
      because[i] = said;
    }
    return because;
  }

  /** Says the rest. */
  end(because: Begun, context: RuleContext): readonly RuleVerdict[] {
    for (let i = 0; i < rules.length; i++) {
      const rule = rules[i] as Rule;
      if (rule.of === 'job') because[i] = this.#own(i, rule.name, rule.judge(context));
    }
    return because as RuleVerdict[];
  }

  #own(at: number, rule: string, judged: Judged): RuleVerdict {
    const newest = this.#newest[at];
    if (newest !== undefined && same(newest, judged)) return newest;
    const known = this.#said[at] as Map<string | number, RuleVerdict>;
    let said = known.get(judged.measured);
    if (said === undefined || !same(said, judged)) {
      said = this.#word(rule, judged);
      known.set(judged.measured, said);
    }
    this.#newest[at] = said;
    return said;
  }
}

/** By the index of each rule; what is open yet is undefined. */
export type Begun = (RuleVerdict | undefined)[];

/** Whether it could burst if only it were its turn: what is asked of it alone. */
export const might = (begun: Begun): boolean =>
  rules.every((rule, i) => rule.of !== 'shape' || begun[i]?.pass === true);

function same(a: Judged, b: Judged): boolean {
  return a.measured === b.measured && a.pass === b.pass && a.limit === b.limit;
}

/**
 * burst | wait | never, with every rule's word. All rules are asked, so that a receipt shows the whole picture and "what
 * would have made it yes"; one failing `never` rule outweighs any number of `wait`.
 */
export function decide(
  context: RuleContext,
  sayings = new Sayings(context),
  begun = sayings.begin(context.job),
): Decision {
  const because = sayings.end(begun, context);
  let verdict: Decision['verdict'] = 'burst';
  for (let i = 0; i < rules.length; i++) {
    const said = because[i] as RuleVerdict;
    if (said.pass) continue;
    if (sayings.otherwise(rules[i] as Rule, said) === 'never') verdict = 'never';
    else if (verdict === 'burst') verdict = 'wait';
  }
  const group = verdict === 'burst' ? groupFor(context.job, context.groups)?.group.name : undefined;
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
