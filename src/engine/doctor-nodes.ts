/** What `doctor` asks of the machines that a gateway launches, and of what runs on them. */
import type { NodeGroup } from '../domain/policy.ts';
import type { CloudPort } from '../ports.ts';
import type { ClusterSettings } from './context.ts';
import { type Finding, probe } from './doctor.ts';

export async function* examineMachines(clusters: readonly ClusterSettings[]): AsyncGenerator<Finding> {
  for (const { hands, cloud, groups } of clusters)
    if (hands !== false) for (const group of groups) yield await switchIn(cloud, group);
  if (clusters.some((c) => c.hands !== false))
    yield {
      what: 'locks outside the gateway',
      ok: true,
      text: 'cannot be asked from here: the IAM policy, the budget action and the QOS of deploy/aws/README.md',
    };
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
      return `in ${group.launchTemplate}, which terminates what powers itself off`;
    },
    'set InstanceInitiatedShutdownBehavior=terminate in the launch template, and user data as in deploy/node/user-data',
  );
}
