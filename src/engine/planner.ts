import { plan, podCapacity, usedBy } from '../decide/plan.ts';
import type { OfferedGroup } from '../decide/rule.ts';
import { type Burst, holdsInstance } from '../domain/burst.ts';
import { faultOf } from '../domain/fault.ts';
import { instanceId, launchToken, type Uuid } from '../domain/ids.ts';
import type { Instance, LaunchSpec } from '../domain/instance.ts';
import type { ClusterSetup } from '../domain/policy.ts';
import { fits, plus } from '../domain/resources.ts';
import type { Write } from '../ports.ts';
import { keeperNeeds } from '../translate/index.ts';
import type { Ports } from './context.ts';

export interface PlannerInput {
  readonly ports: Ports;
  readonly setup: ClusterSetup;
  readonly offered: readonly OfferedGroup[];
  readonly generation: Uuid;
  readonly epoch: number;
}

/**
 * Binds every burst that waits for an instance: to one that is up or booting, or to a new one whose row and token are
 * committed with the binding. A burst that nothing can hold is given up with the reason.
 */
export async function planAll({ ports, setup, offered, generation, epoch }: PlannerInput): Promise<void> {
  const { store, entropy, clock, wake, log } = ports;
  const [bursts, instances] = await Promise.all([
    store.liveBursts(setup.name),
    store.liveInstances(setup.name),
  ]);
  const waiting = bursts
    .filter((b) => b.state === 'reserved' && b.instance === undefined)
    .sort((a, b) => a.createdAt - b.createdAt);
  if (waiting.length === 0) return;
  const whole = (b: Burst) => ({ ...b, needs: plus(b.needs, keeperNeeds) });
  const bound = bursts.filter((b) => b.instance !== undefined && holdsInstance(b)).map(whole);
  const made = plan(waiting.map(whole), instances, usedBy(bound), offered);
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
  const bind = (id: Burst['id'], instance: Instance): Write[] => {
    const burst = byId.get(id);
    if (burst === undefined) return [];
    return [
      {
        kind: 'burst',
        burst: { ...burst, instance: instance.id },
        why: `planned on instance ${instance.id}`,
      },
    ];
  };

  for (const [id, group] of groupBy(made.assign, (a) => a.instance)) {
    const instance = instances.find((i) => i.id === id);
    if (instance === undefined) continue;
    // The instance's row is written too: if it began to drain in this moment, its rev moved and nothing is bound.
    const writes: Write[] = group.flatMap((a) => bind(a.burst, instance));
    writes.push({
      kind: 'instance',
      instance: { ...instance, idleSince: undefined },
      why: `${group.length} bursts bound`,
    });
    if (await commit(writes, 'plan')) for (const a of group) await wake.wake(a.burst);
  }

  for (const l of made.launch) {
    const offer = offered.find((o) => o.group.name === l.group);
    if (offer === undefined) continue;
    const { group } = offer;
    // Only types that hold what was planned: the cheapest of the others would be bought for nothing.
    const types = offer.types.filter((t) => fits(l.capacity, podCapacity(t, group))).map((t) => t.name);
    const id = instanceId(entropy.uuid());
    const token = launchToken(`${generation.replaceAll('-', '').slice(0, 12)}-${id.replaceAll('-', '')}`);
    const spec: LaunchSpec = {
      group: group.name,
      launchTemplate: group.launchTemplate,
      types,
      zones: group.zones,
      capacityType: group.capacityType,
      tags: {
        'spillway.dev/cluster': setup.name,
        'spillway.dev/group': group.name,
        'spillway.dev/instance': id,
        'spillway.dev/generation': generation,
      },
    };
    const at = clock.now();
    const instance: Instance = {
      id,
      cluster: setup.name,
      group: group.name,
      state: 'intended',
      rev: 0,
      token,
      spec,
      cloudId: undefined,
      type: undefined,
      zone: undefined,
      node: undefined,
      capacity: l.capacity,
      createdAt: at,
      enteredAt: at,
      launchedAt: undefined,
      readyAt: undefined,
      idleSince: undefined,
      endedAt: undefined,
      why: undefined,
      trouble: undefined,
    };
    const writes: Write[] = [
      { kind: 'instance', instance, why: `for ${l.bursts.length} bursts` },
      ...l.bursts.flatMap((b) => bind(b, instance)),
    ];
    if (!(await commit(writes, 'plan a launch'))) continue;
    log({
      level: 'info',
      text: `launches an instance of ${group.name} for ${l.bursts.length} bursts`,
      instance: id,
    });
    await wake.wake(id);
    for (const b of l.bursts) await wake.wake(b);
  }

  for (const { burst, why, forGood } of made.noRoom) {
    if (!forGood) continue;
    const waits = byId.get(burst);
    if (waits === undefined) continue;
    const next: Burst = {
      ...waits,
      state: 'returning',
      enteredAt: clock.now(),
      cause: { kind: 'no_capacity', text: why },
    };
    if (await commit([{ kind: 'burst', burst: next, why }], 'no room')) await wake.wake(burst);
  }
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
