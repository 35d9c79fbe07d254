import { type AuditLink, auditHash, canonical, chainStart, type Sha256 } from './chain.ts';
import type { ClusterName, Instant } from './ids.ts';

/** Who turned a switch, when and why. */
export interface Turn {
  readonly by: string;
  readonly why: string;
  readonly at: Instant;
}

/** A kind of switch that each cluster, or each node group of one, has one of: how it stands until somebody turns it, and then. */
export interface SwitchKind<State extends string = string> {
  readonly name: string;
  readonly rest: State;
  readonly turned: State;
}

/** A cluster's switch as a store keeps it; its audit rows have `id` as their subject. */
export interface Switch<State extends string = string> extends Turn {
  readonly id: string;
  readonly cluster: ClusterName;
  /** The node group that it is for; undefined: the cluster's own. */
  readonly group?: string | undefined;
  readonly state: State;
  readonly rev: number;
}

/** Which one: of a cluster, or of one of its node groups. */
export interface Which {
  readonly cluster: ClusterName;
  readonly group?: string | undefined;
}

export const switchId = ({ name }: SwitchKind, { cluster, group }: Which): string =>
  group === undefined ? `${name}/${cluster}` : `${name}/${cluster}/${group}`;

/** The switch after somebody turned it; undefined: it stands so already, and who turned it first stays. */
export function turned<State extends string>(
  kind: SwitchKind<State>,
  before: Switch<State> | undefined,
  which: Which,
  state: State,
  { by, why, at }: Turn,
): Switch<State> | undefined {
  if ((before?.state ?? kind.rest) === state) return undefined;
  return { id: switchId(kind, which), ...which, state, by, why, at, rev: (before?.rev ?? 0) + 1 };
}

/** Who turned it, while it stands turned. */
export function turnOf<State extends string>(
  kind: SwitchKind<State>,
  s: Switch<State> | undefined,
): Turn | undefined {
  return s?.state === kind.turned ? { by: s.by, why: s.why, at: s.at } : undefined;
}

/** The audit row of one turn; `prev` is the hash of the one before it. */
export function switchLink(
  kind: SwitchKind,
  after: Switch,
  prev: string | undefined,
  sha256: Sha256,
): AuditLink {
  const body = {
    subject: after.id,
    seq: after.rev,
    at: after.at,
    from: after.rev === 1 ? undefined : after.state === kind.turned ? kind.rest : kind.turned,
    to: after.state,
    why: after.why === '' ? `by ${after.by}` : `by ${after.by}: ${after.why}`,
    data: sha256(canonical(after)),
    prev: prev ?? chainStart,
  };
  return { ...body, hash: auditHash(body, sha256) };
}
