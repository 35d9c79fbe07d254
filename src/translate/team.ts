/** The job's pods as each of them is told of the others with START (protocol/spill.md, section 10). */
import type { Team } from '../domain/ranks.ts';
import { hostNameFor } from './names.ts';

/**
 * At this TCP port main of every pod starts processes of the job's steps. Part of the protocol, not of a site's configuration: all pods
 * have addresses of their own, so no two jobs meet there.
 */
export const teamPort = 7233;

/** `nodes`: by rank, the Kubernetes node of each pod and the pod's IP. */
export function teamOf(
  rank: number,
  nodes: readonly { readonly node: string; readonly address: string }[],
): Team {
  const hosts = nodes.map(({ node, address }) => ({ name: hostNameFor(node), address }));
  return { rank, hosts, port: teamPort };
}
