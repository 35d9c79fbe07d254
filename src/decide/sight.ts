import { type Instant, instant } from '../domain/ids.ts';
import type { Snapshot } from '../domain/job.ts';
import type { ClusterSetup, Policy } from '../domain/policy.ts';

const usualPolls = 5;
/** Under a poll of a second or two a slow `squeue` alone would count as old. */
const leastMs = 10_000;
const longestText = 200;

/** A look at the queue that is older than this is stale: so many polls, and never less than ten seconds. */
export function staleAfterMs(
  setup: Pick<ClusterSetup, 'pollMs'>,
  policy: Pick<Policy, 'staleAfterPolls'>,
): number {
  return Math.max(leastMs, (policy.staleAfterPolls ?? usualPolls) * setup.pollMs);
}

/** A site that asks for less than this means it, and is looked at in that beat whatever it costs. */
const leastPatientMs = 30_000;
/** Looking takes a tenth of the time at most. */
const restsFor = 10;
/** But for a site's own longer beat: a Slurm that is back is not left alone for longer. */
const longestRestMs = 5 * 60_000;
/** So much later at most, so that those who ask one Slurm do not fall into step. */
const jitter = 0.1;

/**
 * How long after a look the next one comes: `pollMs`, or ten times what the last look took where that is more, up to five minutes. A slurmctld that is busy, or does
 * not answer, is asked more seldom by it. `random`: in [0, 1), asked only then.
 */
export function nextLookMs(pollMs: number, tookMs: number, random: () => number): number {
  const rest = Math.min(restsFor * tookMs, longestRestMs);
  if (pollMs < leastPatientMs || rest <= pollMs) return pollMs;
  return Math.round(rest * (1 + jitter * random()));
}

/**
 * When somebody asks who asks between two looks what the last one says: then, though a slow Slurm's looks are further apart than a decision may be old. Once
 * the next one is late as well it is now: nobody sees the queue.
 */
export function askedAt(
  { at, tookMs }: Pick<Snapshot, 'at' | 'tookMs'>,
  setup: Pick<ClusterSetup, 'pollMs'>,
  policy: Policy,
  now: Instant,
): Instant {
  const stale = staleAfterMs(setup, policy);
  if (now - at <= stale) return now;
  const next = at + tookMs + nextLookMs(setup.pollMs, tookMs, () => 1);
  return now - next <= stale ? instant(at + tookMs) : now;
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
