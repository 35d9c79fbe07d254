/** How a pod that fits nowhere makes room for itself among those that matter less. [kube-scheduler: DefaultPreemption] */
import type { Pod } from './kubernetes-objects.ts';
import { priorityOf } from './kubernetes-places.ts';
import type { Room } from './kubernetes-room.ts';

export interface Preemption {
  readonly node: string;
  readonly victims: readonly Pod[];
}

/** Where the fewest must go; undefined: nowhere would it help. */
export function preemption(pod: Pod, rooms: readonly Room[]): Preemption | undefined {
  // The one class that there is preempts nobody.
  if (pod.spec.priorityClassName !== undefined) return undefined;
  const ways = rooms.flatMap((room) => {
    const lesser = room.on.filter((one) => priorityOf(one) < priorityOf(pod));
    if (lesser.length === 0 || room.without(lesser).against(pod) !== undefined) return [];
    return [{ node: room.node.metadata.name, victims: spared(pod, room, lesser) }];
  });
  return ways.sort((a, b) => a.victims.length - b.victims.length || (a.node < b.node ? -1 : 1))[0];
}

/** Of those that may go, who must. */
function spared(pod: Pod, room: Room, lesser: readonly Pod[]): readonly Pod[] {
  let victims = lesser;
  for (const one of lesser) {
    const fewer = victims.filter((v) => v !== one);
    if (room.without(fewer).against(pod) === undefined) victims = fewer;
  }
  return victims;
}

/** Something that matters less is still ending where it is to be. */
export function preempting(pod: Pod, rooms: readonly Room[]): boolean {
  const room = rooms.find(({ node }) => node.metadata.name === pod.status.nominatedNodeName);
  return (
    room?.on.some(
      (one) => one.metadata.deletionTimestamp !== undefined && priorityOf(one) < priorityOf(pod),
    ) === true
  );
}
