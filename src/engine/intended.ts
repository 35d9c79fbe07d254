/** The row of an instance that is to be launched: what is asked of the cloud, and the token that names the launch. */
import type { Plan } from '../decide/plan.ts';
import type { OfferedGroup } from '../decide/rule.ts';
import { capsOf } from '../decide/spot.ts';
import { instanceId, launchToken, type Uuid } from '../domain/ids.ts';
import type { Instance, LaunchSpec, SpotPool } from '../domain/instance.ts';
import type { ClusterSetup } from '../domain/policy.ts';
import type { Ports } from './context.ts';

export interface Intended {
  readonly cluster: ClusterSetup['name'];
  readonly offer: OfferedGroup;
  /** `types`: any of them will do. */
  readonly launch: Plan['launch'][number] & { readonly types: readonly string[] };
  readonly generation: Uuid;
  /** Spot pools that are left alone for now. */
  readonly lacking: readonly SpotPool[];
}

export function intended(
  { cluster, offer: { group }, launch, generation, lacking }: Intended,
  entropy: Ports['entropy'],
  clock: Ports['clock'],
): Instance {
  const caps = launch.capacityType === 'spot' ? capsOf(group) : {};
  // A type whose price on demand is gone has no cap, and spot without one is not bought.
  const capped = launch.types.filter((type) => caps[type] !== undefined);
  const spot = capped.length > 0;
  const types = spot ? capped : launch.types;
  const id = instanceId(entropy.uuid());
  const token = launchToken(`${generation.replaceAll('-', '').slice(0, 12)}-${id.replaceAll('-', '')}`);
  const spec: LaunchSpec = {
    group: group.name,
    launchTemplate: group.launchTemplate,
    types,
    zones: group.zones,
    capacityType: spot ? 'spot' : 'on-demand',
    ...(spot ? { maxPrices: Object.fromEntries(types.flatMap((t) => asPair(t, caps[t]))) } : {}),
    ...(spot ? poolsWithout(types, group.zones, lacking) : {}),
    tags: {
      'spillway.dev/cluster': cluster,
      'spillway.dev/group': group.name,
      'spillway.dev/instance': id,
      'spillway.dev/generation': generation,
    },
  };
  const at = clock.now();
  return {
    ...{ id, cluster, group: group.name, state: 'intended', rev: 0, token, spec },
    ...{ cloudId: undefined, type: undefined, zone: undefined, node: undefined, capacity: launch.capacity },
    ...{ createdAt: at, enteredAt: at, launchedAt: undefined, readyAt: undefined },
    ...{ idleSince: undefined, endedAt: undefined, why: undefined, trouble: undefined },
  };
}

const asPair = <T>(key: string, value: T | undefined): (readonly [string, T])[] =>
  value === undefined ? [] : [[key, value]];

/** Where nothing would be left, all is asked for: the cloud has the last word. */
function poolsWithout(types: readonly string[], zones: readonly string[], avoided: readonly SpotPool[]) {
  const without = avoided.filter((p) => types.includes(p.type) && zones.includes(p.zone));
  return without.length === 0 || without.length === types.length * zones.length ? {} : { without };
}
