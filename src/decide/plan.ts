import { offeredOn } from '../domain/devices.ts';
import type { BurstId, InstanceId } from '../domain/ids.ts';
import type { CapacityType, Instance, InstanceType } from '../domain/instance.ts';
import type { NodeGroup } from '../domain/policy.ts';
import { fits, MiB, minus, plus, type Resources } from '../domain/resources.ts';

export interface PlanBurst {
  readonly id: BurstId;
  readonly group: string;
  /** Of each of its nodes. */
  readonly needs: Resources;
  /** One if undefined. */
  readonly nodes?: number | undefined;
  /** As its group is bought if undefined. It goes on nothing else: a warm machine of the other kind is for others. */
  readonly capacityType?: CapacityType | undefined;
}

export interface PlanGroup {
  readonly group: NodeGroup;
  readonly types: readonly InstanceType[];
}

export interface Plan {
  /** Of a burst of several nodes one entry here or in `launch` for each, on as many instances; ranks are in this order, launches last. */
  readonly assign: readonly { readonly burst: BurstId; readonly instance: InstanceId }[];
  /** One entry per instance to launch, with the bursts that it is for. */
  readonly launch: readonly {
    readonly group: string;
    readonly capacityType: CapacityType;
    readonly capacity: Resources;
    readonly bursts: readonly BurstId[];
  }[];
  /** `forGood`: no instance of the group could ever hold it; else it waits for room. */
  readonly noRoom: readonly { readonly burst: BurstId; readonly why: string; readonly forGood: boolean }[];
}

/** Instances that a plan may still bind to. */
export const bindable = new Set<Instance['state']>(['intended', 'launched', 'joined', 'ready']);

/**
 * First what is up or booting, then new instances, filled in the order of the bursts (the oldest first). A burst keeps its
 * place: nothing is moved that was bound. `closed`: those that get nothing new, and count in their group all the same. One of several nodes gets an instance for each, all of them or none.
 */
export function plan(
  bursts: readonly PlanBurst[],
  instances: readonly Instance[],
  used: ReadonlyMap<InstanceId, Resources>,
  groups: readonly PlanGroup[],
  closed: ReadonlySet<InstanceId> = new Set(),
): Plan {
  const assign: { burst: BurstId; instance: InstanceId }[] = [];
  const launch: (Omit<Plan['launch'][number], 'bursts'> & { free: Resources; bursts: BurstId[] })[] = [];
  const noRoom: { burst: BurstId; why: string; forGood: boolean }[] = [];
  const free = new Map<InstanceId, Resources>();
  // What is on a silent node waits for it, or is lost with it; nothing new goes there.
  for (const i of instances)
    if (bindable.has(i.state) && !closed.has(i.id) && !(i.state === 'ready' && i.trouble !== undefined)) {
      const taken = used.get(i.id);
      free.set(i.id, taken === undefined ? i.capacity : minus(i.capacity, taken));
    }
  const aliveIn = (group: string): number =>
    instances.filter((i) => i.group === group && i.state !== 'gone').length +
    launch.filter((l) => l.group === group).length;
  for (const burst of bursts) {
    const offered = groups.find((g) => g.group.name === burst.group);
    if (offered === undefined) {
      noRoom.push({
        burst: burst.id,
        why: `node group ${burst.group} is not configured any more`,
        forGood: true,
      });
      continue;
    }
    const nodes = burst.nodes ?? 1;
    const { capacityType = offered.group.capacityType, group } = burst;
    const homes = instances
      .filter((i) => i.group === group && i.spec.capacityType === capacityType)
      .filter((i) => fits(burst.needs, free.get(i.id) ?? none))
      .slice(0, nodes);
    const opened = launch
      .filter((l) => l.group === group && l.capacityType === capacityType && fits(burst.needs, l.free))
      .slice(0, nodes - homes.length);
    const fresh = nodes - homes.length - opened.length;
    const capacity = fresh === 0 ? undefined : launchCapacity(offered, burst.needs);
    if (fresh > 0) {
      const why =
        capacity === undefined ? noType(burst) : noRoomFor(offered, nodes, fresh, aliveIn(burst.group));
      if (why !== undefined) {
        noRoom.push({ burst: burst.id, ...why });
        continue;
      }
    }
    for (const home of homes) {
      free.set(home.id, minus(free.get(home.id) ?? none, burst.needs));
      assign.push({ burst: burst.id, instance: home.id });
    }
    for (const l of opened) {
      l.free = minus(l.free, burst.needs);
      l.bursts.push(burst.id);
    }
    for (let n = 0; n < fresh && capacity !== undefined; n++)
      launch.push({ group, capacityType, capacity, free: minus(capacity, burst.needs), bursts: [burst.id] });
  }
  return {
    assign,
    launch: launch.map(({ free: _, ...l }) => l),
    noRoom,
  };
}

interface NoRoom {
  readonly why: string;
  readonly forGood: boolean;
}

const noType = ({ group, needs }: PlanBurst): NoRoom => ({
  why: `no type of node group ${group} holds ${describe(needs)}`,
  forGood: true,
});

/** Undefined: `fresh` more may be launched beside the `alive` ones. */
function noRoomFor(
  { group: { name, max } }: PlanGroup,
  nodes: number,
  fresh: number,
  alive: number,
): NoRoom | undefined {
  if (nodes > max)
    return { why: `node group ${name} has at most ${max} instances, for ${nodes} nodes`, forGood: true };
  if (alive + fresh <= max) return undefined;
  const more = nodes === 1 ? '' : `, and ${fresh} more are needed`;
  return { why: `node group ${name} is at its maximum of ${max} instances${more}`, forGood: false };
}

const none: Resources = { cpuMillis: -1, memoryBytes: -1, extended: {} };

/** Any of the types may come, so a new instance is planned with what the smallest fitting one leaves to pods. */
export function launchCapacity(offered: PlanGroup, needs: Resources): Resources | undefined {
  const fitting = fittingTypes(offered, needs);
  if (fitting.length === 0) return undefined;
  return fitting.map((t) => podCapacity(t, offered.group)).reduce(smaller);
}

/** The types of a group that hold this at all: only they are asked for. */
export function fittingTypes(offered: PlanGroup, needs: Resources): readonly InstanceType[] {
  return offered.types.filter((t) => fits(needs, podCapacity(t, offered.group)));
}

/** What pods may request on an instance of this type. */
export function podCapacity(type: InstanceType, group: NodeGroup): Resources {
  const extended = offeredOn(type.gpus, group);
  const whole: Resources = {
    cpuMillis: Math.round(type.vcpus * 1000),
    memoryBytes: type.memoryBytes,
    extended,
  };
  return minus(whole, group.overhead);
}

function smaller(a: Resources, b: Resources): Resources {
  return {
    cpuMillis: Math.min(a.cpuMillis, b.cpuMillis),
    memoryBytes: Math.min(a.memoryBytes, b.memoryBytes),
    extended: Object.fromEntries(
      Object.entries(a.extended).map(([name, n]) => [name, Math.min(n, b.extended[name] ?? 0)]),
    ),
  };
}

export function usedBy(
  bursts: readonly { readonly instance: InstanceId | undefined; readonly needs: Resources }[],
): Map<InstanceId, Resources> {
  const used = new Map<InstanceId, Resources>();
  for (const b of bursts) {
    if (b.instance === undefined) continue;
    const so = used.get(b.instance);
    used.set(b.instance, so === undefined ? b.needs : plus(so, b.needs));
  }
  return used;
}

/** Such as `8000 m vCPU, 1024 MiB, 2 nvidia.com/gpu`. */
export const describe = ({ cpuMillis, memoryBytes, extended }: Resources): string =>
  [
    `${cpuMillis} m vCPU, ${Math.ceil(memoryBytes / MiB)} MiB`,
    ...Object.entries(extended).map(([name, n]) => `${n} ${name}`),
  ].join(', ');
