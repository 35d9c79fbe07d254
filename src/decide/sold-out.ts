/** Whether a node group has anything left to buy, by what the cloud said a moment ago. Pure. */
import type { CapacityType, InstanceType, Lack } from '../domain/instance.ts';
import type { NodeGroup } from '../domain/policy.ts';

/** `types`: those of the group that hold the job; of none of them there is none in any zone. Without a type there is nothing to be sold out of. */
export function soldOut(
  { zones }: Pick<NodeGroup, 'zones'>,
  types: readonly InstanceType[],
  capacityType: CapacityType,
  lacking: readonly Lack[],
): boolean {
  const lacks = new Set(
    lacking.flatMap((l) => (l.capacityType === capacityType ? [`${l.type} ${l.zone}`] : [])),
  );
  if (types.length === 0 || zones.length === 0 || lacks.size === 0) return false;
  return types.every(({ name }) => zones.every((zone) => lacks.has(`${name} ${zone}`)));
}
