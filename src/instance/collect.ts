import { type ClusterName, type InstanceId, type Instant, launchToken } from '../domain/ids.ts';
import type { CloudInstance, Instance } from '../domain/instance.ts';
import { nothing } from '../domain/resources.ts';

/** The cloud lists a new instance before its launch's answer is committed; younger ones are left alone. */
const youngMs = 60_000;

/** What the cloud has under our tag and no row explains: launched by a gateway that died, or known to a store that is gone. */
export function strayInstances(
  seen: readonly CloudInstance[],
  known: readonly Instance[],
  at: Instant,
): readonly CloudInstance[] {
  return seen.filter(
    (i) =>
      i.state !== 'terminated' &&
      i.state !== 'shutting-down' &&
      i.unsure === undefined &&
      at - i.launchedAt >= youngMs &&
      !known.some(
        // A row that knows its instance stands for no other: a second one under its token is nobody's.
        (k) =>
          k.cloudId === i.id || (k.cloudId === undefined && i.token !== undefined && k.token === i.token),
      ),
  );
}

/**
 * A row for it that begins where a row of ours would end: draining. From there it goes the way of every instance, with an intent before
 * the termination, an audit row for each state, and "gone" only by the cloud's word.
 */
export function rowOf(stray: CloudInstance, id: InstanceId, cluster: ClusterName, at: Instant): Instance {
  const group = stray.tags['spillway.dev/group'] ?? '';
  return {
    id,
    cluster,
    group,
    state: 'draining',
    rev: 0,
    token: stray.token ?? launchToken(stray.id),
    spec: {
      group,
      launchTemplate: '',
      types: [stray.type],
      zones: [stray.zone],
      capacityType: stray.capacityType,
      tags: stray.tags,
      ...(stray.fixed === undefined ? {} : { fixed: { needs: nothing, most: nothing } }),
      ...(stray.external === undefined ? {} : { external: { needs: nothing } }),
    },
    cloudId: stray.id,
    type: stray.type,
    zone: stray.zone,
    node: undefined,
    capacity: nothing,
    createdAt: at,
    enteredAt: at,
    launchedAt: stray.launchedAt,
    readyAt: undefined,
    idleSince: undefined,
    endedAt: undefined,
    why: 'no record explains it',
    trouble: undefined,
  };
}
