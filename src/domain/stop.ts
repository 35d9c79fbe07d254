import { auditHash, canonical, chainStart, type Sha256 } from './chain.ts';
import type { AuditLink } from './change.ts';
import type { ClusterName, Instant } from './ids.ts';

/** Bursting was halted by a person: no burst is begun in this cluster and none is claimed, until somebody resumes it. */
export interface Stop {
  readonly by: string;
  readonly why: string;
  readonly at: Instant;
}

/** A cluster's stop switch as a store keeps it; its audit rows have `id` as their subject. */
export interface StopSwitch extends Stop {
  readonly id: string;
  readonly cluster: ClusterName;
  readonly state: 'stopped' | 'resumed';
  readonly rev: number;
}

export const switchId = (cluster: ClusterName): string => `stop/${cluster}`;

/** The switch after somebody turned it; undefined: it stands so already, and who turned it first stays. */
export function turned(
  before: StopSwitch | undefined,
  cluster: ClusterName,
  state: StopSwitch['state'],
  { by, why, at }: Stop,
): StopSwitch | undefined {
  if ((before?.state ?? 'resumed') === state) return undefined;
  return { id: switchId(cluster), cluster, state, by, why, at, rev: (before?.rev ?? 0) + 1 };
}

export function stopOf(s: StopSwitch | undefined): Stop | undefined {
  return s?.state === 'stopped' ? { by: s.by, why: s.why, at: s.at } : undefined;
}

/** The audit row of one turn; `prev` is the hash of the one before it. */
export function switchLink(after: StopSwitch, prev: string | undefined, sha256: Sha256): AuditLink {
  const body = {
    subject: after.id,
    seq: after.rev,
    at: after.at,
    from: after.rev === 1 ? undefined : after.state === 'stopped' ? 'resumed' : 'stopped',
    to: after.state,
    why: after.why === '' ? `by ${after.by}` : `by ${after.by}: ${after.why}`,
    data: sha256(canonical(after)),
    prev: prev ?? chainStart,
  };
  return { ...body, hash: auditHash(body, sha256) };
}

export function inWords({ by, why, at }: Stop): string {
  return `stopped by ${by} since ${new Date(at).toISOString()}${why === '' ? '' : `: ${why}`}`;
}
