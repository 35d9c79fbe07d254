/** One plan for all bursts that wait for a machine: what is up or booting first, then the cheapest machines that hold the rest. Pure. */
import { type BurstId, type InstanceId, type Instant, instant } from '../domain/ids.ts';
import type { CapacityType, Instance, InstanceType } from '../domain/instance.ts';
import type { NodeGroup } from '../domain/policy.ts';
import type { Resources } from '../domain/resources.ts';
import { describe, fittingTypes, hasDevices, type PlanGroup, podCapacity, shapesOf } from './group.ts';
import { type Launch, Launches, launchTailMs } from './launches.ts';
import type { Shape } from './pack.ts';
import { type Bound, forEver, type Kinds, Room, type Seeker } from './room.ts';

export interface PlanBurst {
  readonly id: BurstId;
  readonly group: string;
  /** Of each of its nodes. */
  readonly needs: Resources;
  /** One if undefined. */
  readonly nodes?: number | undefined;
  /** As its group is bought if undefined. It goes on nothing else: a warm machine of the other kind is for others. */
  readonly capacityType?: CapacityType | undefined;
  /** It holds its machines no longer than this, by its time limit; undefined: nobody knows. */
  readonly limitMs?: number | undefined;
  /** As far as is known it holds them for so long; its limit if undefined. */
  readonly expectedMs?: number | undefined;
  /** Since when it has waited for a place; just now if undefined. */
  readonly since?: Instant | undefined;
}

export interface Plan {
  /** Of a burst of several nodes one entry here or in `launch` for each, on as many instances; ranks are in this order, launches last. */
  readonly assign: readonly { readonly burst: BurstId; readonly instance: InstanceId }[];
  /** One entry per instance to launch, with the bursts that it is for. */
  readonly launch: readonly Launch[];
  /** `forGood`: no instance of the group could ever hold it; else it waits for room. */
  readonly noRoom: readonly NoRoom[];
}

interface NoRoom {
  readonly burst: BurstId;
  readonly why: string;
  readonly forGood: boolean;
}

/** Instances that a plan may still bind to. */
export const bindable = new Set<Instance['state']>(['intended', 'launched', 'joined', 'ready']);

/** For so long the oldest burst without room keeps from others what it could have. */
export const holdMs = 10 * 60_000;

/**
 * Bursts come oldest first and keep their places: nothing is moved that was bound. `closed`: instances that get nothing new, and count in their
 * group all the same. One of several nodes gets an instance for each, all of them or none. Where a group has no room for all, who is older
 * comes first, and the oldest that found none keeps for ten minutes what it could have soonest: others go there if they are gone by then.
 */
export function plan(
  bursts: readonly PlanBurst[],
  instances: readonly Instance[],
  bound: readonly Bound[],
  groups: readonly PlanGroup[],
  {
    closed = new Set(),
    now = instant(0),
  }: { readonly closed?: ReadonlySet<InstanceId>; readonly now?: Instant } = {},
): Plan {
  const made: { assign: Plan['assign'][number][]; launch: Launch[]; noRoom: NoRoom[] } = {
    ...{ assign: [], launch: [], noRoom: [] },
  };
  const byGroup = new Map<string, PlanBurst[]>();
  for (const burst of bursts) {
    const of = byGroup.get(burst.group);
    if (of === undefined) byGroup.set(burst.group, [burst]);
    else of.push(burst);
  }
  for (const [name, of] of byGroup) {
    const offered = groups.find((g) => g.group.name === name);
    if (offered === undefined) {
      const why = `node group ${name} is not configured any more`;
      made.noRoom.push(...of.map(({ id }) => ({ burst: id, why, forGood: true })));
      continue;
    }
    const part = planGroup(
      of,
      instances.filter((i) => i.group === name),
      bound,
      offered,
      closed,
      now,
    );
    made.assign.push(...part.assign);
    made.launch.push(...part.launch);
    made.noRoom.push(...part.noRoom);
  }
  return made;
}

function planGroup(
  bursts: readonly PlanBurst[],
  instances: readonly Instance[],
  bound: readonly Bound[],
  offered: PlanGroup,
  closed: ReadonlySet<InstanceId>,
  now: Instant,
): Plan {
  const alive = instances.filter((i) => i.state !== 'gone').length;
  const left = Math.max(0, offered.group.max - alive);
  // What is on a silent node waits for it, or is lost with it; nothing new goes there.
  const open = instances.filter(
    (i) => bindable.has(i.state) && !closed.has(i.id) && !(i.state === 'ready' && i.trouble !== undefined),
  );
  const room = () => new Room(open, bound, kindsOf(offered), now);
  // Mostly there is room for all, and then the cheapest machines are looked for among all of them at once.
  const together = walk(
    bursts,
    room(),
    new Launches(offered, Number.POSITIVE_INFINITY),
    offered,
    now,
    'thrifty',
  );
  const cheapest = together.launches.cheapest();
  const all = together.noRoom.every((n) => n.forGood) && cheapest.length <= left;
  if (all) return { assign: together.assign, launch: cheapest, noRoom: together.noRoom };
  const inTurn = walk(bursts, room(), new Launches(offered, left), offered, now);
  return { assign: inTurn.assign, launch: inTurn.launches.cheapest(), noRoom: inTurn.noRoom };
}

/** Each in its turn: on what is there, else on what is to be launched. */
function walk(
  bursts: readonly PlanBurst[],
  room: Room,
  launches: Launches,
  offered: PlanGroup,
  now: Instant,
  how: 'thrifty' | 'as it comes' = 'as it comes',
): { assign: Plan['assign'][number][]; noRoom: NoRoom[]; launches: Launches } {
  const assign: { burst: BurstId; instance: InstanceId }[] = [];
  const noRoom: NoRoom[] = [];
  const { group } = offered;
  const suits = suitsIn(offered);
  for (const burst of bursts) {
    const { id, needs, nodes = 1, capacityType = group.capacityType, limitMs = forEver } = burst;
    const { expectedMs = limitMs } = burst;
    const { able, shapes, onDevices } = suits(needs, capacityType);
    const never = neverFits(burst, nodes, able, group);
    if (never !== undefined) {
      noRoom.push({ burst: id, why: never, forGood: true });
      continue;
    }
    const seeker: Seeker = {
      ...{ needs, capacityType, onDevices },
      ...{ endsAt: now + limitMs, expectedAt: now + expectedMs },
      own: how === 'thrifty' ? ownCost(shapes, expectedMs + launchTailMs(group)) : undefined,
    };
    const homes = room.homes(seeker, nodes);
    const fresh = nodes - homes.length;
    const held = room.held?.launches ?? 0;
    const asked = { id, needs, capacityType, nodes, fresh, ms: expectedMs };
    const why =
      fresh === 0
        ? undefined
        : (offered.halted ??
          (shapes.length === 0
            ? `the cloud had none of ${able.map((t) => t.name).join(', ')} (${capacityType}) a moment ago`
            : launches.add(asked, shapes, held)));
    if (why === undefined) {
      for (const home of homes) {
        room.place(home, seeker);
        assign.push({ burst: id, instance: home });
      }
      continue;
    }
    noRoom.push({ burst: id, why, forGood: false });
    const until = (burst.since ?? now) + holdMs;
    if (room.held === undefined && now < until)
      room.hold(
        seeker,
        nodes,
        shapes.length === 0 || offered.halted !== undefined ? 0 : launches.left,
        until,
      );
  }
  return { assign, noRoom, launches };
}

interface Suits {
  readonly able: readonly InstanceType[];
  /** What of them can be had now. */
  readonly shapes: readonly Shape[];
  readonly onDevices: boolean;
}

/** The same for all that ask for the same, and many do. */
function suitsIn(offered: PlanGroup): (needs: Resources, capacityType: CapacityType) => Suits {
  const known = new Map<string, Suits>();
  return (needs, capacityType) => {
    const { cpuMillis, memoryBytes, extended } = needs;
    const key = `${capacityType} ${cpuMillis} ${memoryBytes} ${JSON.stringify(extended)}`;
    let found = known.get(key);
    if (found === undefined) {
      const able = fittingTypes(offered, needs);
      const shapes = offered.halted === undefined ? shapesOf(offered, able, capacityType) : [];
      const onDevices = able.every((t) => hasDevices(podCapacity(t, offered.group), offered.group));
      found = { able, shapes, onDevices };
      known.set(key, found);
    }
    return found;
  };
}

/** What the cheapest machine of its own would cost; undefined: there is none to be had. */
function ownCost(shapes: readonly Shape[], ms: number): number | undefined {
  if (shapes.length === 0) return undefined;
  return (Math.min(...shapes.map((s) => s.perHour)) * ms) / 3_600_000;
}

function kindsOf(offered: PlanGroup): Kinds {
  const { group, types } = offered;
  const priced = {
    spot: new Map(shapesOf({ ...offered, lacking: [] }, types, 'spot').map((s) => [s.name, s.perHour])),
    'on-demand': new Map(
      shapesOf({ ...offered, lacking: [] }, types, 'on-demand').map((s) => [s.name, s.perHour]),
    ),
  };
  return {
    hasDevices: (i) => hasDevices(i.capacity, group),
    // Until it is launched, the one that was planned.
    perHour: ({ spec, type = spec.types[0] ?? '' }) => priced[spec.capacityType].get(type) ?? 0,
    idleMs: group.idleMs,
  };
}

function neverFits(
  { needs, group: name }: PlanBurst,
  nodes: number,
  able: readonly InstanceType[],
  { max }: NodeGroup,
): string | undefined {
  if (able.length === 0) return `no type of node group ${name} holds ${describe(needs)}`;
  if (nodes > max) return `node group ${name} has at most ${max} instances, for ${nodes} nodes`;
  return undefined;
}
