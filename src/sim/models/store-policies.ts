/** The policies of a store in memory, as `StorePort` promises them. */

import type { AuditLink } from '../../domain/chain.ts';
import { type Sha256, unstorable } from '../../domain/chain.ts';
import { PortError } from '../../domain/fault.ts';
import type { ClusterName, Instant } from '../../domain/ids.ts';
import {
  type Activation,
  type ActivationOrder,
  activated,
  activationId,
  activationLink,
  type PolicyVersion,
  versionId,
  versionLink,
} from '../../domain/policy-version.ts';

/** By cluster: every word on its policy, in order. */
export type Activations = Map<ClusterName, readonly Activation[]>;

export function keepPolicy(
  versions: PolicyVersion[],
  given: Pick<PolicyVersion, 'text' | 'by' | 'why' | 'at'>,
  sha256: Sha256,
): PolicyVersion {
  const bad = unstorable(given);
  if (bad !== undefined) throw new PortError('invalid', 'store.keepPolicy', bad);
  const hash = sha256(given.text);
  const known = versions.find((v) => v.hash === hash);
  if (known !== undefined) return known;
  const version = versions.length + 1;
  const kept = Object.freeze({ ...given, id: versionId(version), version, hash });
  versions.push(kept);
  return kept;
}

export function activatePolicy(
  activations: Activations,
  seen: ReadonlyMap<ClusterName, number>,
  order: ActivationOrder,
  at: Instant,
): 'ok' | 'conflict' {
  const bad = unstorable(order);
  if (bad !== undefined) throw new PortError('invalid', 'store.activatePolicy', bad);
  const last = (cluster: ClusterName) => activations.get(cluster)?.at(-1);
  for (const [cluster, rev] of seen) if ((last(cluster)?.rev ?? 0) !== rev) return 'conflict';
  for (const cluster of seen.keys()) {
    const after = activated(last(cluster), cluster, order, at);
    if (after !== undefined)
      activations.set(cluster, [...(activations.get(cluster) ?? []), Object.freeze(after)]);
  }
  return 'ok';
}

/** The audit rows of a version, or of the words on a cluster's policy; none of any other subject. */
export function policyLinks(
  versions: readonly PolicyVersion[],
  activations: Activations,
  subject: string,
  sha256: Sha256,
): AuditLink[] {
  const kept = versions.find((v) => v.id === subject);
  if (kept !== undefined) return [versionLink(kept, sha256)];
  const links: AuditLink[] = [];
  let before: Activation | undefined;
  for (const [cluster, all] of activations)
    for (const after of activationId(cluster) === subject ? all : []) {
      const hash = links.at(-1)?.hash;
      const prev = before && hash !== undefined ? { decides: before.decides, hash } : undefined;
      links.push(activationLink(after, prev, sha256));
      before = after;
    }
  return links;
}
