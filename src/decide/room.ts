/** What of one node group is up or booting, what is on it until when, and what of it is promised. Pure. */
import type { InstanceId, Instant } from '../domain/ids.ts';
import type { CapacityType, Instance } from '../domain/instance.ts';
import { fits, minus, plus, type Resources } from '../domain/resources.ts';

/** One node's share of a burst that is bound to an instance. */
export interface Bound {
  readonly instance: InstanceId | undefined;
  readonly needs: Resources;
  /** By its time limit; undefined: nobody knows. */
  readonly endsAt?: number | undefined;
  /** As far as is known; its limit if undefined. */
  readonly expectedAt?: number | undefined;
}

/** What looks for a place. */
export interface Seeker {
  readonly needs: Resources;
  readonly capacityType: CapacityType;
  /** By its time limit, were it to begin now. */
  readonly endsAt: number;
  readonly expectedAt: number;
  /** What a machine of its own would cost; no home may cost more by being kept for it. Undefined: any home will do. */
  readonly own?: number | undefined;
  /** Whether it may go where devices are that it does not ask for. */
  readonly onDevices: boolean;
}

interface Node {
  readonly instance: Instance;
  free: Resources;
  readonly on: { readonly needs: Resources; readonly endsAt: number }[];
  /** Until then it is of use anyhow, as far as is known; it is paid for until its idle time after that. */
  until: number;
  readonly devices: boolean;
  /** Micro-dollars an hour. */
  readonly perHour: number;
}

/** What the oldest burst that found no room waits for. */
export interface Reservation {
  /** By the time limits of what runs it can begin then. */
  readonly at: number;
  readonly on: ReadonlyMap<InstanceId, Resources>;
  /** So many more instances that are not launched are kept for it. */
  readonly launches: number;
}

/** What is said of instances besides what they say themselves. */
export interface Kinds {
  readonly hasDevices: (i: Instance) => boolean;
  /** Micro-dollars an hour. */
  readonly perHour: (i: Instance) => number;
  readonly idleMs: number;
}

export class Room {
  readonly #nodes: readonly Node[];
  readonly #byId: ReadonlyMap<InstanceId, Node>;
  #held: Reservation | undefined;
  readonly #now: Instant;

  /** `open`: those that may get something new. */
  constructor(
    open: readonly Instance[],
    bound: readonly Bound[],
    { hasDevices, perHour, idleMs }: Kinds,
    now: Instant,
  ) {
    this.#now = now;
    this.#nodes = open.map((instance) => ({
      ...{ instance, free: instance.capacity, on: [], until: usedUntil(instance, idleMs, now) },
      ...{ devices: hasDevices(instance), perHour: perHour(instance) },
    }));
    this.#byId = new Map(this.#nodes.map((n) => [n.instance.id, n]));
    for (const { instance, needs, endsAt = Number.POSITIVE_INFINITY, expectedAt = endsAt } of bound) {
      const node = instance === undefined ? undefined : this.#byId.get(instance);
      if (node !== undefined) put(node, needs, endsAt, expectedAt);
    }
  }

  /**
   * Up to `most` instances that hold it now, each once: what is up before what boots, then what it costs least to keep for it (a machine that outlives
   * what else is on it, for the sake of one small burst), then the tightest.
   */
  homes(seeker: Seeker, most: number): readonly InstanceId[] {
    const found: { readonly node: Node; readonly score: readonly [number, number, number] }[] = [];
    for (const node of this.#nodes) {
      if (!this.#takes(node, seeker)) continue;
      const keeps = costToKeep(node, seeker, this.#now);
      if (keeps > (seeker.own ?? keeps)) continue;
      const score = [node.instance.state === 'ready' ? 0 : 1, keeps, looseness(node, seeker.needs)] as const;
      found.push({ node, score });
    }
    if (found.length > 1)
      found.sort(({ score: a }, { score: b }) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2]);
    return found.slice(0, most).map(({ node }) => node.instance.id);
  }

  place(id: InstanceId, { needs, endsAt, expectedAt }: Seeker): void {
    const node = this.#byId.get(id);
    if (node !== undefined) put(node, needs, endsAt, expectedAt);
  }

  /** Undefined: nobody has one. */
  get held(): Reservation | undefined {
    return this.#held;
  }

  /**
   * Keeps for a burst that found no room what it could have soonest: what holds it now, then `launches` that are not launched yet, then what will.
   * Whoever comes after it gets none of that, unless he is gone by then.
   */
  hold(seeker: Seeker, nodes: number, launches: number, until: number): void {
    const soonest = this.#nodes
      .filter((n) => this.#suits(n, seeker))
      .map((node) => ({ id: node.instance.id, at: this.#holdsAt(node, seeker.needs) }))
      .filter(({ at }) => Number.isFinite(at))
      .sort((a, b) => a.at - b.at);
    const atOnce = soonest.filter(({ at }) => at <= this.#now).length;
    const fresh = Math.min(launches, Math.max(0, nodes - atOnce));
    const chosen = soonest.slice(0, nodes - fresh);
    const whole = chosen.length + fresh >= nodes;
    this.#held = {
      at: whole ? Math.max(this.#now, ...chosen.map(({ at }) => at)) : until,
      on: new Map(chosen.map(({ id }) => [id, seeker.needs])),
      launches: fresh,
    };
  }

  #suits({ instance, devices }: Node, seeker: Seeker): boolean {
    return (
      instance.spec.capacityType === seeker.capacityType &&
      (!devices || seeker.onDevices) &&
      fits(seeker.needs, instance.capacity)
    );
  }

  #takes(node: Node, seeker: Seeker): boolean {
    if (!fits(seeker.needs, node.free) || !this.#suits(node, seeker)) return false;
    const held = this.#held;
    const promised = held?.on.get(node.instance.id);
    if (held === undefined || promised === undefined || seeker.endsAt <= held.at) return true;
    return fits(plus(seeker.needs, promised), freeAt(node, held.at));
  }

  /** From when on it holds that; infinity: nobody knows. */
  #holdsAt(node: Node, needs: Resources): number {
    if (fits(needs, node.free)) return this.#now;
    const ends = node.on.map(({ endsAt }) => endsAt).sort((a, b) => a - b);
    return ends.find((at) => fits(needs, freeAt(node, at))) ?? Number.POSITIVE_INFINITY;
  }
}

/** Whoever is idle for longer than idle machines are left is kept warm, and what that costs is paid whether or not a job goes there. */
const usedUntil = ({ idleSince }: Instance, idleMs: number, now: Instant): number =>
  idleSince !== undefined && now < idleSince + idleMs ? idleSince : now;

function put(node: Node, needs: Resources, endsAt: number, expectedAt: number): void {
  node.free = minus(node.free, needs);
  node.on.push({ needs, endsAt });
  node.until = Math.max(node.until, expectedAt);
}

/** What it has once all are gone that end by then. */
const freeAt = (node: Node, at: number): Resources =>
  node.on.reduce(
    (free, { needs, endsAt }) => (endsAt > at ? minus(free, needs) : free),
    node.instance.capacity,
  );

/** In micro-dollars. Its idle time is paid for with the job and without it. Both ends may be unknown, and their difference is no number. */
const costToKeep = ({ until, perHour }: Node, seeker: Seeker, now: number): number =>
  (perHour * keptMs(until - now, seeker.expectedAt - now, seeker.endsAt - now)) / 3_600_000;

/**
 * For how long beyond `usedMs` a job keeps a machine that is expected to run for `expectedMs`: more than what is left of that, as it may run for much longer, or
 * what is there may end long before, and it then keeps a large machine for itself. Both are taken to end at a constant rate: it is the last with the share
 * that it has in their sum, and then has its whole run before it, up to its limit; the nearer the expected is to that, the surer it is.
 */
function keptMs(usedMs: number, expectedMs: number, limitMs: number): number {
  const expected = Math.min(expectedMs, forEver);
  const surely = Math.max(0, expected - usedMs);
  if (expected <= 0 || usedMs >= limitMs) return surely;
  const most = Math.min(expected, limitMs - usedMs);
  const maybe = Math.max(surely, (most * expected) / (expected + Math.max(0, usedMs)));
  return surely + Math.max(0, 1 - expected / limitMs) * (maybe - surely);
}

/** What it would leave free, as shares of the whole. */
const looseness = ({ free, instance: { capacity } }: Node, needs: Resources): number =>
  (free.cpuMillis - needs.cpuMillis) / capacity.cpuMillis +
  (free.memoryBytes - needs.memoryBytes) / capacity.memoryBytes;

/** What has no time limit is taken to last so long. */
export const forEver = 30 * 86_400_000;
