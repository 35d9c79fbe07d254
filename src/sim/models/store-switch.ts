import { breakerSwitch } from '../../domain/boot.ts';
import { type AuditLink, type Sha256, unstorable } from '../../domain/chain.ts';
import { drainSwitch } from '../../domain/drain.ts';
import { PortError } from '../../domain/fault.ts';
import type { ClusterName, Uuid } from '../../domain/ids.ts';
import { rampSwitch } from '../../domain/ramp.ts';
import { stopSwitch } from '../../domain/stop.ts';
import {
  type Switch,
  type SwitchKind,
  switchId,
  switchLink,
  type Turn,
  turned,
  turnOf,
  type Which,
} from '../../domain/switch.ts';
import type { SeenAgain } from '../../ports.ts';

/** By id: every turn of that switch, in order. */
export type Switches = Map<string, readonly Switch[]>;

const kinds: readonly SwitchKind[] = [stopSwitch, rampSwitch, drainSwitch, breakerSwitch];

export const switchOf = (switches: Switches, kind: SwitchKind, which: Which): Switch | undefined =>
  switches.get(switchId(kind, which))?.at(-1);

/** The node groups of a cluster whose switch of this kind is turned. */
export function turnedIn(
  switches: Switches,
  kind: typeof drainSwitch | typeof breakerSwitch,
  cluster: ClusterName,
): (Turn & { readonly group: string })[] {
  return [...switches.values()].flatMap((turns) => {
    const last = turns.at(-1);
    if (last?.cluster !== cluster || last.group === undefined) return [];
    const turn = turnOf<string>(kind, last);
    return turn === undefined ? [] : [{ group: last.group, ...turn }];
  });
}

export function turnSwitch(
  switches: Switches,
  kind: SwitchKind,
  which: Which,
  state: string,
  by: Turn,
): void {
  const bad = unstorable(by);
  if (bad !== undefined) throw new PortError('invalid', `store.${kind.name}`, bad);
  const after = turned(kind, switchOf(switches, kind, which), which, state, by);
  if (after !== undefined) switches.set(after.id, [...(switches.get(after.id) ?? []), after]);
}

/** The audit rows of a switch; none of any other subject. */
export function switchLinks(switches: Switches, subject: string, sha256: Sha256): AuditLink[] {
  const kind = kinds.find((k) => subject.startsWith(`${k.name}/`));
  const links: AuditLink[] = [];
  if (kind !== undefined)
    for (const s of switches.get(subject) ?? []) links.push(switchLink(kind, s, links.at(-1)?.hash, sha256));
  return links;
}

export function isSeen(of: readonly [Uuid, SeenAgain | undefined]): of is readonly [Uuid, SeenAgain] {
  return of[1] !== undefined;
}
