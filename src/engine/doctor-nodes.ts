/** What `doctor` asks of the machines that a gateway launches, and of what runs on them. */
import { breakerInWords } from '../domain/boot.ts';
import { type ClusterName, clusterName } from '../domain/ids.ts';
import { isForeign } from '../domain/instance.ts';
import type { NodeGroup } from '../domain/policy.ts';
import type { CloudPort, StorePort } from '../ports.ts';
import type { ClusterSettings } from './context.ts';
import { type Finding, probe } from './doctor.ts';

export async function* examineMachines(clusters: readonly ClusterSettings[]): AsyncGenerator<Finding> {
  for (const { hands, cloud, groups } of clusters)
    if (hands !== false) for (const group of groups.filter(isBought)) yield await switchIn(cloud, group);
  for (const { hands, cloud, groups, setup } of clusters)
    if (hands !== false) for (const group of groups.filter(isBought)) yield* lockOn(cloud, group, setup.name);
  if (clusters.some((c) => c.hands !== false))
    yield {
      what: 'locks outside the gateway',
      ok: true,
      text: 'cannot be asked from here: the budget action of deploy/aws/README.md',
    };
}

/** Its machines are launched and terminated by the gateway. */
const isBought = (group: NodeGroup): boolean => !isForeign(group);

/** Node groups in which nothing is launched, for their last machines did not boot. */
export async function* examineBreakers(
  store: Pick<StorePort, 'breakers'>,
  cluster: ClusterName,
): AsyncGenerator<Finding> {
  for (const breaker of await store.breakers(cluster))
    yield {
      what: `node group ${breaker.group} of ${cluster}`,
      ok: false,
      text: breakerInWords(breaker),
      todo: `mend image, user data or network, then: spillway capacity resume ${breaker.group}`,
    };
}

/** Whether the cloud itself would keep a gateway that was taken over to its own tag. A site may do without, so it is told, not mended. */
async function* lockOn(cloud: CloudPort, group: NodeGroup, own: ClusterName): AsyncGenerator<Finding> {
  const what = `node group ${group.name}: lock on its launches`;
  const { name, launchTemplate, types, zones, capacityType } = group;
  const spec = { group: name, launchTemplate, types, zones, capacityType, tags: {} };
  try {
    const open = await cloud.launchesFor?.(clusterName(`${own}-doctor`), spec);
    if (open === undefined) return;
    const text = open
      ? 'does not hold: a launch under another cluster’s tag would be let through; deploy/aws/gateway-policy.json is one'
      : 'holds: a launch under another cluster’s tag is refused';
    yield { what, ok: true, text };
  } catch (e) {
    yield { what, ok: true, text: `could not be asked: ${e instanceof Error ? e.message : String(e)}` };
  }
}

/** Whether what is launched ends by itself when no gateway stands for it any more. */
async function switchIn(cloud: CloudPort, group: NodeGroup): Promise<Finding> {
  return probe(
    `node group ${group.name}: dead man's switch`,
    async () => {
      const { shutdown, userData } = await cloud.template(group.launchTemplate);
      if (shutdown !== 'terminate')
        throw new Error(
          `an instance of ${group.launchTemplate} that powers itself off stays, and is billed on`,
        );
      if (!/spillway-switch/.test(userData))
        throw new Error(
          `the user data of ${group.launchTemplate} do not start it: its instances outlive a gateway`,
        );
      const told = (name: string): number | undefined => {
        const [, value] = new RegExp(`${name}=["']?(\\d+)`).exec(userData) ?? [];
        return value === undefined ? undefined : Number(value) * 1_000;
      };
      const [lease, age] = [told('LEASE_SECONDS') ?? 1_800_000, told('MAX_AGE_SECONDS') ?? 1_209_600_000];
      if (group.leaseMs !== undefined && lease !== group.leaseMs)
        throw new Error(
          `its user data say LEASE_SECONDS=${lease / 1_000}, and capacity.lease ${group.leaseMs / 1_000} s; write the same in both`,
        );
      if (group.joinTimeoutMs >= lease)
        throw new Error(
          `a machine may take joinTimeout, ${group.joinTimeoutMs / 1_000} s, to come up, and its switch ends it after LEASE_SECONDS=${lease / 1_000}; write more there`,
        );
      if (group.maxAgeMs !== undefined && age <= group.maxAgeMs)
        throw new Error(
          `its user data say MAX_AGE_SECONDS=${age / 1_000}, at which a machine ends whatever runs; write more than capacity.maxAge, ${group.maxAgeMs / 1_000} s, and the longest time limit together`,
        );
      return `in ${group.launchTemplate}, which terminates what powers itself off`;
    },
    'set InstanceInitiatedShutdownBehavior=terminate in the launch template, and user data as in deploy/node/user-data',
  );
}
