import type { Breaker } from '../domain/boot.ts';
import type { Drain } from '../domain/drain.ts';
import { PortError } from '../domain/fault.ts';
import type { ClusterName, InstanceId } from '../domain/ids.ts';
import { type InstanceState, isOld } from '../domain/instance.ts';
import type { Ports } from './context.ts';

/** A node group of one cluster: what it has, and whether somebody drained it. */
export interface GroupState {
  readonly cluster: ClusterName;
  readonly group: string;
  /** Most instances at a time. */
  readonly max: number;
  /** Those that are not gone, by state. */
  readonly instances: Readonly<Partial<Record<InstanceState, number>>>;
  /** Of them past their maximum age. */
  readonly old: number;
  readonly drain: Drain | undefined;
  /** Its last machines all failed to boot: nothing is launched. */
  readonly breaker: Breaker | undefined;
}

type Owner = {
  readonly name: ClusterName;
  readonly settings: {
    readonly groups: readonly {
      readonly name: string;
      readonly max: number;
      readonly maxAgeMs?: number | undefined;
    }[];
  };
};

export async function groupStates(
  { name, settings }: Owner,
  { store, clock }: Pick<Ports, 'store' | 'clock'>,
): Promise<readonly GroupState[]> {
  const [live, drains, breakers] = await Promise.all([
    store.liveInstances(name),
    store.drains(name),
    store.breakers(name),
  ]);
  return settings.groups.map((group) => {
    const instances: Partial<Record<InstanceState, number>> = {};
    const own = live.filter((i) => i.group === group.name && i.state !== 'gone');
    for (const { state } of own) instances[state] = (instances[state] ?? 0) + 1;
    return {
      ...{ cluster: name, group: group.name, max: group.max, instances },
      old: own.filter((i) => isOld(i, group, clock.now())).length,
      drain: drains.find((d) => d.group === group.name),
      breaker: breakers.find((b) => b.group === group.name),
    };
  });
}

/** `group` undefined: all of them. */
export interface DrainOrder {
  readonly drained: boolean;
  readonly group: string | undefined;
  readonly by: string;
  readonly why: string;
}

/** What was drained is open again, and what launched nothing for its machines did not boot launches again. */
export async function openGroup(
  store: Ports['store'],
  cluster: ClusterName,
  group: string,
  by: string,
  why: string,
): Promise<void> {
  await store.openGroup(cluster, group, by, why);
  await store.closeBreaker(cluster, group, by, why);
}

/** Turns the switch of one node group, or of all, in these clusters; then has a look taken at each instance that is up. */
export async function turnDrain(
  clusters: readonly Owner[],
  { store, wake }: Pick<Ports, 'store'> & { wake(id: InstanceId): Promise<void> },
  { drained, group, by, why }: DrainOrder,
): Promise<void> {
  let found = false;
  for (const { name, settings } of clusters)
    for (const { name: own } of settings.groups) {
      if (group !== undefined && own !== group) continue;
      found = true;
      await (drained ? store.drainGroup(name, own, by, why) : openGroup(store, name, own, by, why));
    }
  if (!found) throw new PortError('not_found', 'capacity', `there is no node group ${group}`);
  for (const { name } of clusters)
    for (const i of await store.liveInstances(name))
      if (group === undefined || i.group === group) await wake(i.id);
}
