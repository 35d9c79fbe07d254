/** The instances of one node group that a plan launches. Pure. */
import type { BurstId } from '../domain/ids.ts';
import type { CapacityType } from '../domain/instance.ts';
import type { NodeGroup } from '../domain/policy.ts';
import { fits, minus, plus, type Resources } from '../domain/resources.ts';
import { hasDevices, type PlanGroup, podCapacity, shapesOf } from './group.ts';
import { type Bin, type Item, packCheapest, type Shape, smallest } from './pack.ts';

export interface Launch {
  readonly group: string;
  readonly capacityType: CapacityType;
  /** Any of them will do: the one that was planned first, then what holds the same and costs little more. */
  readonly types: readonly string[];
  /** What each of them leaves to pods at least. */
  readonly capacity: Resources;
  readonly bursts: readonly BurstId[];
}

/** What asks for new instances. */
export interface Asked {
  readonly id: BurstId;
  readonly needs: Resources;
  readonly capacityType: CapacityType;
  readonly nodes: number;
  /** So many of its nodes found no place on what is there. */
  readonly fresh: number;
  readonly ms: number;
}

/** From the launch until it is of use, about. */
const bootMs = 90_000;
/** It is paid for that long besides: it boots, and it is idle before it goes. */
export const launchTailMs = ({ idleMs }: Pick<NodeGroup, 'idleMs'>): number => bootMs + idleMs;
/** What stands in where the planned type is not to be had costs no more than so many times as much; beyond that the plan is made anew. */
const dearerAtMost = 2;
/** In one request. [facts: at most 60 types] */
const typesAtMost = 60;

interface Open {
  readonly kind: string;
  free: Resources;
  readonly items: Item<BurstId>[];
}

/** Bursts of one kind may share instances: the same capacity type, and devices or none. */
interface Kind {
  readonly capacityType: CapacityType;
  readonly shapes: readonly Shape[];
  readonly items: Item<BurstId>[];
}

export class Launches {
  readonly #offered: PlanGroup;
  readonly #most: number;
  readonly #kinds = new Map<string, Kind>();
  readonly #open: Open[] = [];

  /** `most` may be launched; where that is infinite they are counted at the end. */
  constructor(offered: PlanGroup, most: number) {
    this.#offered = offered;
    this.#most = most;
  }

  /** So many more may be launched. */
  get left(): number {
    return this.#most - this.#open.length;
  }

  /** `shapes`: those of them that hold it. `kept`: so many are for somebody else. Answers why it finds no room; undefined: it has all that it asked for. */
  add(asked: Asked, shapes: readonly Shape[], kept: number): string | undefined {
    const { id, needs, capacityType, nodes, fresh, ms } = asked;
    const devices = shapes.some((s) => hasDevices(s.capacity, this.#offered.group));
    const name = `${capacityType} ${devices}`;
    const item: Item<BurstId> = { id, needs, ms, apart: nodes > 1 };
    if (this.#most !== Number.POSITIVE_INFINITY) {
      const homes = this.#open
        .filter((o) => o.kind === name && fits(needs, o.free) && !o.items.some((i) => i.id === id))
        .slice(0, fresh);
      const opened = fresh - homes.length;
      if (opened > this.left - kept) return this.#full(opened, nodes, kept);
      // The fewest instances hold the most where they are the largest; what they become in the end is another question.
      const largest = shapes.reduce((a, b) => (b.capacity.cpuMillis > a.capacity.cpuMillis ? b : a));
      for (let n = 0; n < opened; n++) {
        const open: Open = { kind: name, free: largest.capacity, items: [] };
        this.#open.push(open);
        homes.push(open);
      }
      for (const home of homes) {
        home.free = minus(home.free, needs);
        home.items.push(item);
      }
    }
    const kind = this.#kinds.get(name) ?? this.#kindOf(capacityType, devices);
    this.#kinds.set(name, kind);
    for (let n = 0; n < fresh; n++) kind.items.push(item);
    return undefined;
  }

  /** All that were added, on the cheapest instances that hold them. */
  cheapest(): readonly Launch[] {
    return [...this.#kinds].flatMap(([name, { capacityType, shapes, items }]) => {
      const packed = packCheapest(items, shapes, launchTailMs(this.#offered.group));
      const inTurn = this.#open.filter((o) => o.kind === name);
      const bins =
        inTurn.length === 0 || packed.length <= inTurn.length ? packed : rightSized(inTurn, shapes);
      return bins.map((bin) => this.#launchOf(bin, shapes, capacityType));
    });
  }

  #kindOf(capacityType: CapacityType, devices: boolean): Kind {
    const { group, types } = this.#offered;
    const alike = types.filter((t) => hasDevices(podCapacity(t, group), group) === devices);
    return { capacityType, shapes: shapesOf(this.#offered, alike, capacityType), items: [] };
  }

  #full(opened: number, nodes: number, kept: number): string {
    const { name, max } = this.#offered.group;
    const more = nodes === 1 ? '' : `, and ${opened} more are needed`;
    const older = kept === 0 ? '' : `, or what is left is kept for an older job`;
    return `node group ${name} is at its maximum of ${max} instances${more}${older}`;
  }

  #launchOf({ shape, items }: Bin<BurstId>, shapes: readonly Shape[], capacityType: CapacityType): Launch {
    const load = items.map((i) => i.needs).reduce(plus);
    const others = shapes
      .filter((s) => s !== shape && s.perHour <= dearerAtMost * shape.perHour && fits(load, s.capacity))
      .sort((a, b) => a.perHour - b.perHour);
    const chosen = [shape, ...others].slice(0, typesAtMost);
    return {
      ...{ group: this.#offered.group.name, capacityType },
      types: chosen.map((s) => s.name),
      capacity: chosen.map((s) => s.capacity).reduce(smaller),
      bursts: items.map((i) => i.id),
    };
  }
}

const rightSized = (open: readonly Open[], shapes: readonly Shape[]): readonly Bin<BurstId>[] =>
  open.flatMap(({ items }) => {
    const shape = smallest(items.map((i) => i.needs).reduce(plus), shapes);
    return shape === undefined ? [] : [{ shape, items }];
  });

function smaller(a: Resources, b: Resources): Resources {
  const pods = Math.min(a.pods ?? Number.POSITIVE_INFINITY, b.pods ?? Number.POSITIVE_INFINITY);
  return {
    ...(Number.isFinite(pods) ? { pods } : {}),
    cpuMillis: Math.min(a.cpuMillis, b.cpuMillis),
    memoryBytes: Math.min(a.memoryBytes, b.memoryBytes),
    extended: Object.fromEntries(
      Object.entries(a.extended).map(([name, n]) => [name, Math.min(n, b.extended[name] ?? 0)]),
    ),
  };
}
