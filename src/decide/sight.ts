import type { Instant } from '../domain/ids.ts';
import type { Snapshot } from '../domain/job.ts';
import type { ClusterSetup, Policy } from '../domain/policy.ts';

const usualPolls = 5;
/** Under a poll of a second or two a slow `squeue` alone would count as old. */
const leastMs = 10_000;
const longestText = 200;

/** A look at the queue that is older than this is stale: so many polls, and never less than ten seconds. */
export function staleAfterMs(setup: Pick<ClusterSetup, 'pollMs'>, policy: Policy): number {
  return Math.max(leastMs, (policy.staleAfterPolls ?? usualPolls) * setup.pollMs);
}

/** How old the look is, and in words what it did not show; undefined: it showed all. */
export function sightOf(
  { at, partial }: Pick<Snapshot, 'at' | 'partial'>,
  now: Instant,
): { readonly ageMs: number; readonly unseen: string | undefined } {
  const ageMs = Math.max(0, now - at);
  const [first, ...others] = partial;
  if (first === undefined) return { ageMs, unseen: undefined };
  const text = first.length > longestText ? `${first.slice(0, longestText)}…` : first;
  return { ageMs, unseen: others.length === 0 ? text : `${text}, and ${others.length} more` };
}
