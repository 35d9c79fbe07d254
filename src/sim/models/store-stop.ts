import { type Sha256, unstorable } from '../../domain/chain.ts';
import type { AuditLink } from '../../domain/change.ts';
import { PortError } from '../../domain/fault.ts';
import type { ClusterName, Uuid } from '../../domain/ids.ts';
import { type Stop, type StopSwitch, switchLink, turned } from '../../domain/stop.ts';
import type { SeenAgain } from '../../ports.ts';

type Stops = Map<ClusterName, readonly StopSwitch[]>;

export function turnStop(stops: Stops, cluster: ClusterName, state: StopSwitch['state'], by: Stop): void {
  const bad = unstorable(by);
  if (bad !== undefined) throw new PortError('invalid', 'store.stop', bad);
  const before = stops.get(cluster) ?? [];
  const after = turned(before.at(-1), cluster, state, by);
  if (after !== undefined) stops.set(cluster, [...before, after]);
}

/** The audit rows of a switch; none of any other subject. */
export function stopLinks(stops: Stops, subject: string, sha256: Sha256): AuditLink[] {
  const links: AuditLink[] = [];
  for (const s of [...stops.values()].flat())
    if (s.id === subject) links.push(switchLink(s, links.at(-1)?.hash, sha256));
  return links;
}

export function isSeen(of: readonly [Uuid, SeenAgain | undefined]): of is readonly [Uuid, SeenAgain] {
  return of[1] !== undefined;
}
