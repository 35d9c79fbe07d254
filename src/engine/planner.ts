import type { Foresight } from '../decide/foresight.ts';
import type { PlanGroup } from '../decide/group.ts';
import { type PlanBurst, plan } from '../decide/plan.ts';
import type { Bound } from '../decide/room.ts';
import type { OfferedGroup } from '../decide/rule.ts';
import { priceAt, type SpotSeen } from '../decide/spot.ts';
import { type Burst, type Cause, holdsInstance, waitsSince } from '../domain/burst.ts';
import { drainInWords } from '../domain/drain.ts';
import { faultOf } from '../domain/fault.ts';
import type { BurstId, InstanceId, Instant, Uuid } from '../domain/ids.ts';
import { type Instance, isOld, type Lack } from '../domain/instance.ts';
import { alikeAs, asLot, lotAtMost, whoseTags } from '../domain/lot.ts';
import type { MicroUsd } from '../domain/money.ts';
import type { ClusterSetup, NodeGroup } from '../domain/policy.ts';
import { nodesOf, ranksOf, withRanks } from '../domain/ranks.ts';
import { nothing, plus } from '../domain/resources.ts';
import type { Write } from '../ports.ts';
import { podNeeds } from '../translate/index.ts';
import { haltedGroups } from './breakers.ts';
import type { Ports } from './context.ts';
import { intended } from './intended.ts';

export interface PlannerInput {
  readonly ports: Ports;
  readonly setup: ClusterSetup;
  readonly offered: readonly OfferedGroup[];
  /** Node groups of which nobody knows what they offer now: what waits for one goes on waiting. */
  readonly unread?: ReadonlySet<string> | undefined;
  readonly generation: Uuid;
  readonly epoch: number;
  /** Says how long a job holds its machine; its limit does where it is undefined. */
  readonly foresight?: Pick<Foresight, 'expectedMs'> | undefined;
  /** What spot costs, as it was read last. */
  readonly spotSeen?: SpotSeen;
  /** Of what the cloud had none a moment ago, or took some back. */
  readonly lacking: readonly Lack[];
}

/**
 * Binds every burst that waits for an instance: to one that is up or booting, or to a new one whose row and token are
 * committed with the binding; one of several nodes to so many, in one commit. A burst that nothing can hold is given up with the reason.
 */
export async function planAll({
  ports,
  setup,
  offered,
  unread,
  generation,
  epoch,
  foresight,
  spotSeen,
  lacking,
}: PlannerInput): Promise<void> {
  const { store, entropy, clock, wake, log } = ports;
  const at = clock.now();
  const [bursts, instances] = await Promise.all([
    store.liveBursts(setup.name),
    store.liveInstances(setup.name),
  ]);
  const all = bursts
    .filter((b) => b.state === 'reserved' && b.instance === undefined)
    .sort((a, b) => a.createdAt - b.createdAt);
  if (all.length === 0) return;
  const drained = new Map((await store.drains(setup.name)).map((d) => [d.group, drainInWords(d)]));
  const waiting = all.filter((b) => !drained.has(b.group) && unread?.has(b.group) !== true);
  const groupOf = (name: string) => offered.find((o) => o.group.name === name)?.group;
  const closed = new Set(
    instances.filter((i) => drained.has(i.group) || isOld(i, groupOf(i.group), clock.now())).map((i) => i.id),
  );
  const groupsOf = offered.map((o) => o.group);
  const halted = await haltedGroups(store, setup.name, groupsOf, at);
  const expectedMs = (b: Burst) => expectedMsOf(b, groupOf(b.group), foresight);
  const bound = bursts.filter(holdsInstance).flatMap((b) => boundOf(b, at, expectedMs(b)));
  const wanted = waiting.map((b) => wantedOf(b, expectedMs(b)));
  const groups: readonly PlanGroup[] = offered.map((o) => ({
    ...o,
    spotPrices: spotPricesOf(o.group, spotSeen, at),
    lacking,
    halted: halted.get(o.group.name),
  }));
  const made = plan(wanted, instances, bound, groups, { closed, now: at });
  const byId = new Map(waiting.map((b) => [b.id, b]));

  const commit = async (writes: readonly Write[], what: string): Promise<boolean> => {
    try {
      return (await store.commit(entropy.uuid(), setup.name, epoch, writes)) === 'ok';
    } catch (e) {
      if (faultOf(e) === undefined) throw e;
      log({ level: 'warn', text: `${what}: ${(e as Error).message}` });
      return false;
    }
  };
  const launches = made.launch.flatMap((l) => {
    const offer = offered.find((o) => o.group.name === l.group);
    if (offer === undefined) return [];
    const needs = l.bursts
      .flatMap((id) => byId.get(id) ?? [])
      .map(podNeeds)
      .reduce(plus, nothing);
    const instance = intended(
      { cluster: setup.name, offer, launch: l, needs, generation, lacking },
      entropy,
      clock,
    );
    return [{ instance, bursts: l.bursts, fresh: true, byLot: offer.group.byLot === true }];
  });
  const homes = [...groupBy(made.assign, (a) => a.instance)].flatMap(([id, group]) => {
    const instance = instances.find((i) => i.id === id);
    return instance === undefined ? [] : [{ instance, bursts: group.map((a) => a.burst), fresh: false }];
  });
  for (const rows of together([...homes, ...inLots(launches, waiting)])) {
    const bound = new Map<BurstId, InstanceId[]>();
    for (const { instance, bursts: of } of rows)
      for (const id of of) bound.set(id, [...(bound.get(id) ?? []), instance.id]);
    const writes = [...rows.map(rowWrite), ...[...bound].flatMap(([id, on]) => bind(byId.get(id), on))];
    if (!(await commit(writes, 'plan'))) continue;
    for (const { instance, bursts: of, fresh } of rows) {
      if (!fresh) continue;
      log({
        level: 'info',
        text: `launches an instance of ${instance.group} for ${of.length} bursts`,
        instance: instance.id,
      });
      await wake.wake(instance.id);
    }
    for (const id of bound.keys()) await wake.wake(id);
  }

  const goHome = async (waits: Burst, cause: Cause): Promise<void> => {
    const next: Burst = {
      ...waits,
      state: 'returning',
      enteredAt: clock.now(),
      cause,
    };
    if (await commit([{ kind: 'burst', burst: next, why: cause.text }], 'no room')) await wake.wake(waits.id);
  };
  for (const { burst, why, forGood } of made.noRoom) {
    const waits = byId.get(burst);
    if (waits === undefined) continue;
    if (forGood) await goHome(waits, { kind: 'no_capacity', text: why });
    // What it waits for stands on the burst, and goes home with it if it waits for too long.
    else if (waits.trouble?.text !== why) {
      const trouble = { since: waits.trouble?.since ?? at, text: why };
      await commit([{ kind: 'burst', burst: { ...waits, trouble }, why }], 'no room');
    }
  }
  // As with a stop, a person's word is no failure of the job's.
  for (const burst of all) {
    const text = drained.get(burst.group);
    if (text !== undefined) await goHome(burst, { kind: 'stopped', text });
  }
}

/** An instance that is up, booting or to be launched, and what is bound to it now. */
interface Row {
  readonly instance: Instance;
  readonly bursts: readonly BurstId[];
  readonly fresh: boolean;
}

/** Those to launch, with what may be asked for by one call in lots: where too few come, the oldest bursts have them. */
function inLots(
  launches: readonly (Row & { readonly byLot: boolean })[],
  oldestFirst: readonly Burst[],
): readonly Row[] {
  const age = new Map(oldestFirst.map(({ id }, at) => [id, at]));
  const byId = new Map(oldestFirst.map((b) => [b.id, b]));
  const oldest = ({ bursts }: Row) => Math.min(...bursts.map((id) => age.get(id) ?? 0));
  const alike = groupBy(launches, ({ instance, byLot }) => (byLot ? alikeAs(instance) : instance.id));
  return [...alike.values()].flatMap((rows) => {
    const inTurn = [...rows].sort((a, b) => oldest(a) - oldest(b));
    const lots: Row[] = [];
    for (let from = 0; from < inTurn.length; from += lotAtMost) {
      const part = inTurn.slice(from, from + lotAtMost);
      const on = new Set(part.flatMap(({ bursts }) => bursts));
      const instances = asLot(
        part.map((r) => r.instance),
        whoseTags([...on].flatMap((id) => byId.get(id) ?? [])),
      );
      for (const [seat, { bursts, fresh }] of part.entries()) {
        const instance = instances[seat];
        if (instance !== undefined) lots.push({ instance, bursts, fresh });
      }
    }
    return lots;
  });
}

/**
 * Rows that a burst of several nodes joins are committed together: it gets all its instances or none. So are those of one lot: whoever asks for it finds
 * them all.
 */
function together(rows: readonly Row[]): readonly (readonly Row[])[] {
  const sets = new Set<readonly Row[]>();
  const setOf = new Map<string, readonly Row[]>();
  const ties = ({ instance, bursts }: Row): readonly string[] =>
    instance.lot === undefined ? bursts : [...bursts, instance.token];
  for (const row of rows) {
    const joined = new Set<readonly Row[]>();
    for (const tie of ties(row)) {
      const known = setOf.get(tie);
      if (known !== undefined) joined.add(known);
    }
    const set = [...[...joined].flat(), row];
    for (const old of joined) sets.delete(old);
    sets.add(set);
    for (const each of set) for (const tie of ties(each)) setOf.set(tie, set);
  }
  return [...sets];
}

/** Of one that is up its row is written too: if it began to drain in this moment, its rev moved and nothing is bound. */
function rowWrite({ instance, bursts, fresh }: Row): Write {
  if (fresh) return { kind: 'instance', instance, why: `for ${bursts.length} bursts` };
  return {
    kind: 'instance',
    instance: { ...instance, idleSince: undefined },
    why: `${bursts.length} bursts bound`,
  };
}

/** In the order of its ranks. */
function bind(burst: Burst | undefined, on: readonly InstanceId[]): Write[] {
  if (burst === undefined) return [];
  const places = { ...withRanks(burst, ({ rank }) => ({ instance: on[rank] })), trouble: undefined };
  const why = `planned on ${on.length === 1 ? 'instance' : 'instances'} ${on.join(', ')}`;
  return [{ kind: 'burst', burst: { ...burst, ...places }, why }];
}

/** On the instances of its nodes, until its time limit at the latest. */
function boundOf(burst: Burst, at: Instant, expectedMs: number | undefined): readonly Bound[] {
  const from = burst.startedAt ?? at;
  const limitMs = limitMsOf(burst);
  const until = {
    endsAt: limitMs === undefined ? undefined : from + limitMs,
    expectedAt: expectedMs === undefined ? undefined : from + expectedMs,
  };
  const needs = podNeeds(burst);
  return ranksOf(burst).map(({ instance }) => ({ instance, needs, ...until }));
}

const wantedOf = (burst: Burst, expectedMs: number | undefined): PlanBurst => ({
  ...{ id: burst.id, group: burst.group, capacityType: burst.capacityType, nodes: nodesOf(burst) },
  needs: podNeeds(burst),
  ...{ limitMs: limitMsOf(burst), expectedMs, since: waitsSince(burst) },
});

function limitMsOf({ saved: { timeLimitMs } }: Burst): number | undefined {
  return timeLimitMs === 'unlimited' ? undefined : timeLimitMs;
}

/** As far as is known it holds its machines for so long; undefined: nobody knows. */
function expectedMsOf(
  burst: Burst,
  group: NodeGroup | undefined,
  foresight: PlannerInput['foresight'],
): number | undefined {
  const requestMs = limitMsOf(burst);
  if (requestMs === undefined) return undefined;
  const cpus = (nodesOf(burst) * burst.needs.cpuMillis) / 1000 / (group?.vcpuPerCpu ?? 1);
  return foresight?.expectedMs({ user: burst.user, requestMs, processors: Math.max(1, Math.round(cpus)) });
}

/** Of each type the dearest zone, as nobody knows which one an instance comes from. */
function spotPricesOf(group: NodeGroup, seen: SpotSeen, at: Instant): Record<string, MicroUsd> | undefined {
  if (group.spot === undefined || seen?.ok !== true) return undefined;
  const found: Record<string, MicroUsd> = {};
  for (const type of group.types)
    for (const zone of group.zones) {
      const price = priceAt(seen.value, { type, zone }, at)?.microUsd;
      if (price !== undefined) found[type] = Math.max(price, found[type] ?? 0);
    }
  return found;
}

function groupBy<T, K>(items: readonly T[], key: (item: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const item of items) {
    const k = key(item);
    const group = groups.get(k);
    if (group === undefined) groups.set(k, [item]);
    else group.push(item);
  }
  return groups;
}
