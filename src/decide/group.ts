/** What a node group has to offer a plan: which of its types hold something, what they leave to pods, and what they cost now. Pure. */
import { disk, keyOf, offeredOn } from '../domain/devices.ts';
import type { CapacityType, InstanceType, Lack } from '../domain/instance.ts';
import type { MicroUsd } from '../domain/money.ts';
import type { NodeGroup } from '../domain/policy.ts';
import { fits, GiB, MiB, minus, type Resources } from '../domain/resources.ts';
import type { Shape } from './pack.ts';
import { capsOf } from './spot.ts';

export interface PlanGroup {
  readonly group: NodeGroup;
  readonly types: readonly InstanceType[];
  /** What spot costs now, by type; what it may cost at most if undefined. */
  readonly spotPrices?: Readonly<Record<string, MicroUsd>> | undefined;
  /** Of what the cloud had none a moment ago: not asked for. */
  readonly lacking?: readonly Lack[] | undefined;
  /** Why nothing is launched there, though what is up is used. */
  readonly halted?: string | undefined;
}

/** The types of a group that hold this at all: only they are asked for. Those with devices are kept for who asks for some, where others will do. */
export function fittingTypes(offered: PlanGroup, needs: Resources): readonly InstanceType[] {
  const { group, types } = offered;
  const able = types.filter((t) => fits(needs, podCapacity(t, group)));
  if (hasDevices(needs, group)) return able;
  const plain = able.filter((t) => !hasDevices(podCapacity(t, group), group));
  return plain.length === 0 ? able : plain;
}

/** Whether it has, or asks for, any of the group's devices. */
export function hasDevices({ extended }: Resources, { devices }: NodeGroup): boolean {
  if (devices === undefined) return false;
  return Object.values(devices).some((offer) => (extended[keyOf(offer)] ?? 0) > 0);
}

/** What pods may request on an instance of this type: what is configured of it, and no more than the last one was found to have. */
export function podCapacity(type: InstanceType, group: NodeGroup): Resources {
  const extended = offeredOn(type.gpus, group);
  const whole: Resources = {
    cpuMillis: Math.round(type.vcpus * 1000),
    memoryBytes: type.memoryBytes,
    extended,
  };
  const planned = minus(whole, group.overhead);
  const found = group.measured?.[type.name];
  if (found === undefined) return planned;
  return {
    ...planned,
    cpuMillis: Math.min(planned.cpuMillis, found.cpuMillis),
    memoryBytes: Math.min(planned.memoryBytes, found.memoryBytes),
    pods: found.pods,
  };
}

/** Such as `8000 m vCPU, 1024 MiB, 2 nvidia.com/gpu, 20 MiB of disk`. */
export const describe = ({ cpuMillis, memoryBytes, extended }: Resources): string =>
  [
    `${cpuMillis} m vCPU, ${Math.ceil(memoryBytes / MiB)} MiB`,
    ...Object.entries(extended).map(([name, n]) =>
      name === disk ? `${Math.ceil(n / MiB)} MiB of disk` : `${n} ${name}`,
    ),
  ].join(', ');

/** A type without a price among priced ones: it is the last that is chosen. */
const unpriced = 4;

/** Of these types, what can be had now and what an hour of it costs, in the order of the configuration. */
export function shapesOf(
  { group, spotPrices, lacking = [] }: PlanGroup,
  types: readonly InstanceType[],
  capacityType: CapacityType,
): readonly Shape[] {
  const caps = capacityType === 'spot' ? capsOf(group) : {};
  // Spot without a cap is not bought; where nothing has one it is bought on demand.
  const capped = types.filter((t) => caps[t.name] !== undefined);
  const left = (capped.length === 0 ? types : capped).filter(({ name: type }) =>
    group.zones.some(
      (zone) => !lacking.some((l) => l.type === type && l.zone === zone && l.capacityType === capacityType),
    ),
  );
  const bought = capped.length === 0 ? group.prices : { ...caps, ...spotPrices };
  const price = priceOf(left, bought ?? {});
  return left.map((type) => ({
    name: type.name,
    capacity: podCapacity(type, group),
    perHour: price(type),
  }));
}

/** In micro-dollars an hour; where none has a price, in sizes. */
function priceOf(
  types: readonly InstanceType[],
  prices: Readonly<Record<string, MicroUsd>>,
): (type: InstanceType) => number {
  const rates = types.flatMap((t) => {
    const price = prices[t.name];
    return price === undefined ? [] : [price / sizeOf(t)];
  });
  const rate = rates.length === 0 ? 1 : unpriced * Math.max(...rates);
  return (type) => prices[type.name] ?? rate * sizeOf(type);
}

/** In vCPUs, a GPU taken for sixteen and memory for what is usual. */
const sizeOf = ({ vcpus, memoryBytes, gpus }: InstanceType): number =>
  Math.max(vcpus, memoryBytes / (8 * GiB)) + 16 * gpus;
