/** Policies as they were written, each kept for ever, and which of them decides in a cluster. */

import type { AuditLink } from './chain.ts';
import { auditHash, canonical, chainStart, type Sha256 } from './chain.ts';
import type { ClusterName, Instant } from './ids.ts';
import type { Turn } from './switch.ts';

/** Numbered from 1 in the order in which they were kept; never changed, never taken away. */
export interface PolicyVersion extends Turn {
  /** `policy-version/N`, the subject of its audit row. */
  readonly id: string;
  readonly version: number;
  readonly text: string;
  /** SHA-256 of its text: one text is one version. */
  readonly hash: string;
}

/** A version whose row was damaged: that it was kept is known, and what it said is not. */
export interface DamagedVersion {
  readonly version: number;
  /** What of it cannot be read. */
  readonly damaged: string;
}

/** What may decide: the configuration file of whoever decides, or a version that somebody activated. */
export type PolicyName = number | 'file';

/** Who said last what decides in a cluster; until somebody does it is the file. */
export interface Activation extends Turn {
  /** `policy/CLUSTER`, the subject of its audit rows. */
  readonly id: string;
  readonly cluster: ClusterName;
  readonly decides: PolicyName;
  /** What did before. */
  readonly before: PolicyName;
  /** What the file said then, as a version: a file that has changed since is told from it. */
  readonly file: { readonly version: number; readonly hash: string };
  readonly rev: number;
}

export type ActivationOrder = Pick<Activation, 'decides' | 'file' | 'by' | 'why'>;

export const versionId = (version: number): string => `policy-version/${version}`;
export const activationId = (cluster: ClusterName): string => `policy/${cluster}`;

/** What stands after an order. Undefined: it stands so already, and whoever said so first stays; a file that changed since is noted anew. */
export function activated(
  before: Activation | undefined,
  cluster: ClusterName,
  { decides, file, by, why }: ActivationOrder,
  at: Instant,
): Activation | undefined {
  const decided = before?.decides ?? 'file';
  if (decided === decides && (before === undefined || before.file.hash === file.hash)) return undefined;
  return {
    id: activationId(cluster),
    cluster,
    decides,
    before: decided === decides ? backFrom(before, file.hash) : decided,
    file,
    ...{ by, why, at, rev: (before?.rev ?? 0) + 1 },
  };
}

/** What stands after an order where what stood before, as the `rev`th word, cannot be read. */
export function activatedAnew(
  rev: number,
  cluster: ClusterName,
  { decides, file, by, why }: ActivationOrder,
  at: Instant,
): Activation {
  const id = activationId(cluster);
  return { id, cluster, decides, before: 'file', file, by, why, at, rev: rev + 1 };
}

/** Said again, it is no step on the way back; a file that decided before is the version that it was then, once it says something else. */
function backFrom(before: Activation | undefined, fileHash: string): PolicyName {
  if (before === undefined) return 'file';
  return before.before === 'file' && before.file.hash !== fileHash ? before.file.version : before.before;
}

export const policyInWords = (name: PolicyName): string =>
  name === 'file' ? 'the configuration file' : `policy version ${name}`;

export function versionLink(kept: PolicyVersion, sha256: Sha256): AuditLink {
  const body = {
    ...{ subject: kept.id, seq: 1, at: kept.at, from: undefined, to: 'kept' },
    why: byWhom(kept),
    data: sha256(canonical(kept)),
    prev: chainStart,
  };
  return { ...body, hash: auditHash(body, sha256) };
}

/** `before`: the hash of the one before it, and what decided by that, where it can be read. */
export function activationLink(
  after: Activation,
  before: { readonly decides: PolicyName | undefined; readonly hash: string } | undefined,
  sha256: Sha256,
): AuditLink {
  const body = {
    ...{ subject: after.id, seq: after.rev, at: after.at },
    from: before?.decides === undefined ? undefined : stateOf(before.decides),
    to: stateOf(after.decides),
    why: byWhom(after),
    data: sha256(canonical(after)),
    prev: before?.hash ?? chainStart,
  };
  return { ...body, hash: auditHash(body, sha256) };
}

/** As an audit row calls it. */
const stateOf = (name: PolicyName): string => (name === 'file' ? 'file' : `version ${name}`);

const byWhom = ({ by, why }: Turn): string => (why === '' ? `by ${by}` : `by ${by}: ${why}`);
