import type { Decision, RuleVerdict } from '../domain/decision.ts';
import type { Job } from '../domain/job.ts';
import type { Judged, Rule, RuleContext, ShapeRule, TurnContext } from './rule.ts';
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

/** One rule's word, and its number among those of the turn. */
interface Word {
  readonly said: RuleVerdict;
  readonly n: number;
  /** A no for now only, whatever its rule says otherwise. */
  readonly forNow: boolean;
}

/** What can be said of a job without the others of its turn; what is open yet is undefined, by the index of each rule. */
export interface Begun {
  readonly words: readonly (Word | undefined)[];
  readonly hash: number;
  /** Whether it could burst if only it were its turn: what is asked of it alone. */
  readonly might: boolean;
}

/**
 * What was said in one turn, each different word once, and each different list of words: a hundred thousand receipts say a few
 * thousand things.
 */
export class Sayings {
  readonly #turn: TurnContext;
  readonly #once: readonly (Word | undefined)[];
  /** By rule, then by its key or, of those that are asked for each job, by what was measured. */
  readonly #said: readonly Map<string | number, Word>[] = rules.map(() => new Map());
  readonly #newest: (Word | undefined)[] = rules.map(() => undefined);
  /** By their hash; where two are alike in it the newer is known. */
  readonly #begun = new Map<number, Begun>();
  readonly #told = new Map<number, Decision>();
  /** Copied only where a list is new. */
  readonly #list: (Word | undefined)[];
  #words = 0;

  constructor(turn: TurnContext) {
    this.#turn = turn;
    this.#once = rules.map((rule) =>
      rule.of === 'turn' ? this.#word(rule.name, rule.judge(turn)) : undefined,
    );
    this.#list = [...this.#once];
  }

  #word(rule: string, { pass, measured, limit, forNow }: Judged): Word {
    return { said: { rule, pass, measured, limit }, n: this.#words++, forNow: forNow === true };
  }

  begin(job: Job): Begun {
    const list = this.#list;
    let hash = 0;
    for (let i = 0; i < rules.length; i++) {
      const rule = rules[i] as Rule;
      if (rule.of === 'job') list[i] = undefined;
      if (rule.of !== 'shape') continue;
      const word = this.#ofShape(i, rule, job);
      list[i] = word;
      hash = mixed(hash, word);
    }
    const known = this.#begun.get(hash);
    if (known !== undefined && alike(known.words, list)) return known;
    const might = rules.every((rule, i) => rule.of !== 'shape' || list[i]?.said.pass === true);
    const begun = { words: [...list], hash, might };
    this.#begun.set(hash, begun);
    return begun;
  }

  /** Says the rest. Jobs of which the same is said share one decision. */
  end({ words, hash: first }: Begun, context: RuleContext): Decision {
    const list = this.#list;
    let hash = first;
    for (let i = 0; i < rules.length; i++) {
      const rule = rules[i] as Rule;
      if (rule.of !== 'job') list[i] = words[i];
      else {
        const word = this.#own(i, rule.name, rule.judge(context));
        list[i] = word;
        hash = mixed(hash, word);
      }
    }
    const known = this.#told.get(hash);
    if (known?.because.every((said, i) => said === list[i]?.said) === true) return known;
    const decision = concluded(list as Word[]);
    this.#told.set(hash, decision);
    return decision;
  }

  #ofShape(at: number, rule: ShapeRule, job: Job): Word {
    const known = this.#said[at] as Map<string | number, Word>;
    const key = rule.key(job, this.#turn);
    let word = known.get(key);
    if (word === undefined) {
      word = this.#word(rule.name, rule.judge({ ...this.#turn, job }));
      known.set(key, word);
    }
    return word;
  }

  #own(at: number, rule: string, judged: Judged): Word {
    const newest = this.#newest[at];
    if (newest !== undefined && same(newest, judged)) return newest;
    const known = this.#said[at] as Map<string | number, Word>;
    let word = known.get(judged.measured);
    if (word === undefined || !same(word, judged)) {
      word = this.#word(rule, judged);
      known.set(judged.measured, word);
    }
    this.#newest[at] = word;
    return word;
  }
}

const mixed = (hash: number, { n }: Word): number => (Math.imul(hash, 31) + n) | 0;

function alike(a: readonly (Word | undefined)[], b: readonly (Word | undefined)[]): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

function same({ said, forNow }: Word, b: Judged): boolean {
  return (
    said.measured === b.measured &&
    said.pass === b.pass &&
    said.limit === b.limit &&
    forNow === (b.forNow === true)
  );
}

/** Any number of `wait` is outweighed by one failing `never` rule. */
function concluded(words: readonly Word[]): Decision {
  let verdict: Decision['verdict'] = 'burst';
  for (const [i, { said, forNow }] of words.entries()) {
    if (said.pass) continue;
    if ((rules[i] as Rule).otherwise === 'never' && !forNow) verdict = 'never';
    else if (verdict === 'burst') verdict = 'wait';
  }
  return { verdict, because: words.map(({ said }) => said), group: undefined };
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
  const decision = sayings.end(begun, context);
  if (decision.verdict !== 'burst') return decision;
  return { ...decision, group: groupFor(context.job, context.groups)?.group.name };
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
