/** Where a job may go: each node group that holds it, of which the rules are asked one after another. */
import type { Decision } from '../domain/decision.ts';
import type { Job } from '../domain/job.ts';
import type { Policy } from '../domain/policy.ts';
import type { OfferedGroup, RuleContext, TurnContext } from './rule.ts';
import { budget } from './rules/budget.ts';
import { burstWhen } from './rules/burst-when.ts';
import { deadline } from './rules/deadline.ts';
import { neverNow } from './rules/never-now.ts';
import { ramp } from './rules/ramp.ts';
import { size, suitable } from './rules/size.ts';

/** In the order of the configuration, without those that are drained; where none holds it, all of them at once, so that the rules say so. */
export function placesOf(turn: TurnContext): (job: Job) => readonly (readonly OfferedGroup[])[] {
  const { groups, drained } = turn;
  const all = [groups];
  if (groups.length < 2) return () => all;
  const open = drained === undefined ? groups : groups.filter(({ group }) => !drained.has(group.name));
  const known = new Map<string | number, readonly (readonly OfferedGroup[])[]>();
  return (job) => {
    const key = size.key(job, turn);
    const found = known.get(key) ?? suitable(job, open).map((one) => [one]);
    known.set(key, found);
    return found.length === 0 ? all : found;
  };
}

const money: ReadonlySet<string> = new Set([budget.name, ramp.name]);
const ofPlace: ReadonlySet<string> = new Set([...money, deadline.name, neverNow.name]);

/** Whether another node group could change a no: where all that stands against it may differ between them. */
export function maybeElsewhere({ because }: Decision, { burstWhen: when }: Policy): boolean {
  const differs = when.some((c) => c.kind === 'cel' || (c.kind === 'race' && c.laterThan !== undefined));
  return because.every(({ pass, rule }) => pass || ofPlace.has(rule) || (rule === burstWhen.name && differs));
}

/** Whether the one says better than the other how far the job is from a burst: less stands against it, or it needs less money. */
export function isNearer(a: Decision, than: Decision, heldBy: (decision: Decision) => number): boolean {
  const [mine, other] = [failed(a), failed(than)];
  if (mine.length !== other.length) return mine.length < other.length;
  return [...mine, ...other].some((rule) => money.has(rule)) && heldBy(a) < heldBy(than);
}

const failed = ({ because }: Decision): readonly string[] =>
  because.flatMap(({ pass, rule }) => (pass ? [] : rule));

/** Judges a job by one node group after another until one has it. `judge`: by `context`, of which `groups` are set here. */
export function judgeIn(
  places: readonly (readonly OfferedGroup[])[],
  context: { groups: RuleContext['groups'] },
  policy: Policy,
  judge: () => Decision,
  held: () => number,
): Decision {
  if (places.length === 1) {
    context.groups = places[0] as readonly OfferedGroup[];
    return judge();
  }
  const costs = new Map<Decision, number>();
  let nearest: Decision | undefined;
  for (const place of places) {
    context.groups = place;
    const decision = judge();
    if (decision.verdict === 'burst') return decision;
    if (nearest === undefined && !maybeElsewhere(decision, policy)) return decision;
    // Two groups may lead to the same words, and so to one decision.
    costs.set(decision, Math.min(held(), costs.get(decision) ?? Number.POSITIVE_INFINITY));
    if (nearest === undefined || isNearer(decision, nearest, (d) => costs.get(d) ?? 0)) nearest = decision;
  }
  return nearest as Decision;
}
