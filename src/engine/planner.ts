import { plan, podCapacity, usedBy } from '../decide/plan.ts';
import type { OfferedGroup } from '../decide/rule.ts';
import { type Burst, type Cause, holdsInstance } from '../domain/burst.ts';
import { drainInWords } from '../domain/drain.ts';
import { faultOf } from '../domain/fault.ts';
import type { BurstId, InstanceId, Uuid } from '../domain/ids.ts';
import { type Instance, isOld, type SpotPool } from '../domain/instance.ts';
import type { ClusterSetup } from '../domain/policy.ts';
import { nodesOf, ranksOf, withRanks } from '../domain/ranks.ts';
import { fits, plus } from '../domain/resources.ts';
import type { Write } from '../ports.ts';
import { keeperNeeds } from '../translate/index.ts';
import type { Ports } from './context.ts';
import { intended } from './intended.ts';

export interface PlannerInput {
  readonly ports: Ports;
  readonly setup: ClusterSetup;
  readonly offered: readonly OfferedGroup[];
  readonly generation: Uuid;
  readonly epoch: number;
  /** Spot pools that are left alone for now. */
  readonly spotWithout: readonly SpotPool[];
}

/**
 * Binds every burst that waits for an instance: to one that is up or booting, or to a new one whose row and token are
 * committed with the binding; one of several nodes to so many, in one commit. A burst that nothing can hold is given up with the reason.
 */
export async function planAll({
  ports,
  setup,
  offered,
  generation,
  epoch,
  spotWithout,
}: PlannerInput): Promise<void> {
  const { store, entropy, clock, wake, log } = ports;
  const [bursts, instances] = await Promise.all([
    store.liveBursts(setup.name),
    store.liveInstances(setup.name),
  ]);
  const all = bursts
    .filter((b) => b.state === 'reserved' && b.instance === undefined)
    .sort((a, b) => a.createdAt - b.createdAt);
  if (all.length === 0) return;
  const drained = new Map((await store.drains(setup.name)).map((d) => [d.group, drainInWords(d)]));
  const waiting = all.filter((b) => !drained.has(b.group));
  const groupOf = (name: string) => offered.find((o) => o.group.name === name)?.group;
  const closed = new Set(
    instances.filter((i) => drained.has(i.group) || isOld(i, groupOf(i.group), clock.now())).map((i) => i.id),
  );
  const needs = (b: Burst) => plus(b.needs, keeperNeeds);
  const bound = bursts
    .filter(holdsInstance)
    .flatMap((b) => ranksOf(b).map(({ instance }) => ({ instance, needs: needs(b) })));
  const wanted = waiting.map((b) => ({ ...b, needs: needs(b), nodes: nodesOf(b) }));
  const made = plan(wanted, instances, usedBy(bound), offered, closed);
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
    // Only types that hold what was planned: the cheapest of the others would be bought for nothing.
    const able = offer.types.filter((t) => fits(l.capacity, podCapacity(t, offer.group)));
    const launch = { ...l, types: able.map((t) => t.name) };
    const row = { cluster: setup.name, offer, launch, generation, lacking: spotWithout };
    const instance = intended(row, entropy, clock);
    return [{ instance, bursts: l.bursts, fresh: true }];
  });
  const homes = [...groupBy(made.assign, (a) => a.instance)].flatMap(([id, group]) => {
    const instance = instances.find((i) => i.id === id);
    return instance === undefined ? [] : [{ instance, bursts: group.map((a) => a.burst), fresh: false }];
  });
  for (const rows of together([...homes, ...launches])) {
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
    if (forGood && waits !== undefined) await goHome(waits, { kind: 'no_capacity', text: why });
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

/** Rows that a burst of several nodes joins are committed together: it gets all its instances or none. */
function together(rows: readonly Row[]): readonly (readonly Row[])[] {
  const sets = new Set<readonly Row[]>();
  const ofBurst = new Map<BurstId, readonly Row[]>();
  for (const row of rows) {
    const joined = new Set<readonly Row[]>();
    for (const id of row.bursts) {
      const known = ofBurst.get(id);
      if (known !== undefined) joined.add(known);
    }
    const set = [...[...joined].flat(), row];
    for (const old of joined) sets.delete(old);
    sets.add(set);
    for (const { bursts } of set) for (const id of bursts) ofBurst.set(id, set);
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
  const places = withRanks(burst, ({ rank }) => ({ instance: on[rank] }));
  const why = `planned on ${on.length === 1 ? 'instance' : 'instances'} ${on.join(', ')}`;
  return [{ kind: 'burst', burst: { ...burst, ...places }, why }];
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
