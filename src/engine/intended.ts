/** The row of an instance that is to be launched: what is asked of the cloud, and the token that names the launch. */
import type { Launch } from '../decide/launches.ts';
import type { OfferedGroup } from '../decide/rule.ts';
import { capsOf } from '../decide/spot.ts';
import { instanceId, type Uuid } from '../domain/ids.ts';
import { type Instance, isForeign, type Lack, type LaunchSpec } from '../domain/instance.ts';
import { instanceTag, tokenOf } from '../domain/lot.ts';
import type { ClusterSetup } from '../domain/policy.ts';
import type { Resources } from '../domain/resources.ts';
import type { Ports } from './context.ts';

export interface Intended {
  readonly cluster: ClusterSetup['name'];
  readonly offer: OfferedGroup;
  readonly launch: Launch;
  /** Of what is planned on it now. */
  readonly needs: Resources;
  readonly generation: Uuid;
  /** Of what the cloud had none a moment ago, or took some back. */
  readonly lacking: readonly Lack[];
}

export function intended(
  { cluster, offer: { group }, launch, needs, generation, lacking }: Intended,
  entropy: Ports['entropy'],
  clock: Ports['clock'],
): Instance {
  const caps = launch.capacityType === 'spot' ? capsOf(group) : {};
  // A type whose price on demand is gone has no cap, and spot without one is not bought.
  const capped = launch.types.filter((type) => caps[type] !== undefined);
  const spot = capped.length > 0;
  const types = spot ? capped : launch.types;
  const capacityType = spot ? 'spot' : 'on-demand';
  const id = instanceId(entropy.uuid());
  const token = tokenOf(generation, id);
  const spec: LaunchSpec = {
    ...{ group: group.name, launchTemplate: group.launchTemplate, types, zones: group.zones, capacityType },
    ...(spot ? { maxPrices: Object.fromEntries(types.flatMap((t) => asPair(t, caps[t]))) } : {}),
    ...poolsWithout(
      types,
      group.zones,
      lacking.filter((l) => l.capacityType === capacityType),
    ),
    ...(group.reservedFirst === true && !spot ? { reservedFirst: true as const } : {}),
    ...(group.subnets === undefined ? {} : { subnets: group.subnets }),
    ...(group.placementGroup === undefined ? {} : { placementGroup: group.placementGroup }),
    tags: {
      'spillway.dev/cluster': cluster,
      'spillway.dev/group': group.name,
      [instanceTag]: id,
      'spillway.dev/generation': generation,
    },
    ...(group.fixed === undefined ? {} : { fixed: { needs, most: launch.capacity } }),
    ...(group.external === undefined ? {} : { external: { needs } }),
  };
  // What others leave on a machine that stays, or which one somebody brings, is known when it is there: until then it holds no more than this.
  const capacity = isForeign(spec) ? needs : launch.capacity;
  const at = clock.now();
  return {
    ...{ id, cluster, group: group.name, state: 'intended', rev: 0, token, spec },
    ...{ cloudId: undefined, type: undefined, zone: undefined, node: undefined, capacity },
    ...{ createdAt: at, enteredAt: at, launchedAt: undefined, readyAt: undefined },
    ...{ idleSince: undefined, endedAt: undefined, why: undefined, trouble: undefined },
  };
}

const asPair = <T>(key: string, value: T | undefined): (readonly [string, T])[] =>
  value === undefined ? [] : [[key, value]];

/** Where nothing would be left, all is asked for: the cloud has the last word. */
function poolsWithout(types: readonly string[], zones: readonly string[], lacking: readonly Lack[]) {
  const without = lacking
    .filter((l) => types.includes(l.type) && zones.includes(l.zone))
    .map(({ type, zone }) => ({ type, zone }));
  return without.length === 0 || without.length >= types.length * zones.length ? {} : { without };
}
