/** Who makes the nodes of which group. */
import { withScalingGroups } from '../../adapters/cloud/asg/index.ts';
import { ec2Cloud } from '../../adapters/cloud/ec2/index.ts';
import { externalCloud, isExternalId } from '../../adapters/cloud/external/index.ts';
import { grouped, type Member } from '../../adapters/cloud/grouped.ts';
import { type InterruptionQueue, interruptionQueue } from '../../adapters/cloud/sqs/index.ts';
import { isFixedId, staticCloud } from '../../adapters/cloud/static/index.ts';
import type { Log } from '../../adapters/wrap.ts';
import { isAws } from '../../config/providers.ts';
import type { NodeGroupConfig } from '../../config/schema.ts';
import type { ClusterName } from '../domain/ids.ts';
import type { CloudPort, KubernetesPort } from '../ports.ts';
import { clock } from './ground.ts';

const usualPause = 'registry.k8s.io/pause:3.10';

type Of = readonly NodeGroupConfig[];

/** One account and one region for all its groups, those in auto scaling groups among them: one list tells of all instances. */
function awsCloud(cluster: ClusterName, of: Of, queue: InterruptionQueue | undefined): CloudPort {
  const config = { cluster, region: of[0]?.region ?? '', endpoint: of[0]?.endpoint };
  const ec2 = ec2Cloud(config, { clock, queue });
  const groups = of.flatMap(({ name, scalingGroup, capacity: { max } }) =>
    scalingGroup === undefined ? [] : [{ name, scalingGroup, max }],
  );
  return groups.length === 0 ? ec2 : withScalingGroups(ec2, { ...config, groups }, { clock });
}

function fixedCloud(cluster: ClusterName, of: Of, kubernetes: KubernetesPort): CloudPort {
  const groups = of.map(({ name, selector = {}, taint, capacity: { max } }) => ({
    ...{ name, selector, taint, max },
  }));
  return staticCloud({ cluster, groups }, { kubernetes, clock });
}

/** Its types are what the configuration says that they are. */
function scaledCloud(cluster: ClusterName, of: Of, kubernetes: KubernetesPort): CloudPort {
  const groups = of.map(({ name, selector = {}, taint, pauseImage = usualPause, capacity: { leaseMs } }) => ({
    ...{ name, selector, taint, image: pauseImage, holdMs: leaseMs },
  }));
  const types = of.flatMap(({ shapes = {} }) =>
    Object.entries(shapes).map(([name, shape]) => ({ name, ...shape })),
  );
  return externalCloud({ cluster, groups, types }, { kubernetes, clock });
}

/** One for all clusters, as a message comes to one reader alone. */
function queueOf(groups: Of, log: Log): InterruptionQueue | undefined {
  const group = groups.find((g) => g.interruptionQueue !== undefined);
  if (group?.interruptionQueue === undefined) return undefined;
  return interruptionQueue({ url: group.interruptionQueue, region: group.region ?? '' }, { clock, log });
}

/** The port of each cluster. */
export function cloudsOf(
  groups: Of,
  kubernetes: KubernetesPort,
  log: Log,
): (cluster: ClusterName) => CloudPort {
  const queue = queueOf(groups, log);
  return (cluster) => cloudOf(cluster, groups, kubernetes, queue);
}

function cloudOf(
  cluster: ClusterName,
  groups: Of,
  kubernetes: KubernetesPort,
  queue: InterruptionQueue | undefined,
): CloudPort {
  const fixed = groups.filter((g) => g.provider === 'static');
  const scaled = groups.filter((g) => g.provider === 'external');
  const aws = groups.filter(isAws);
  const member = (of: Of, port: () => CloudPort, owns: Member['owns']): Member[] =>
    of.length === 0
      ? []
      : [
          {
            ...{ port: port(), owns },
            groups: new Set(of.map(({ name }) => name)),
            types: new Set(of.flatMap(({ types }) => types)),
            templates: new Set(of.flatMap((g) => g.launchTemplate ?? g.scalingGroup ?? [])),
          },
        ];
  return grouped([
    ...member(
      aws,
      () => awsCloud(cluster, aws, queue),
      (id) => !isFixedId(id) && !isExternalId(id),
    ),
    ...member(scaled, () => scaledCloud(cluster, scaled, kubernetes), isExternalId),
    ...member(fixed, () => fixedCloud(cluster, fixed, kubernetes), isFixedId),
  ]);
}
