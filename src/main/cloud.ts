/** Who makes the nodes of which group. */
import { ec2Cloud } from '../../adapters/cloud/ec2/index.ts';
import { grouped, type Member } from '../../adapters/cloud/grouped.ts';
import { isFixedId, staticCloud } from '../../adapters/cloud/static/index.ts';
import type { NodeGroupConfig } from '../../config/schema.ts';
import type { ClusterName } from '../domain/ids.ts';
import type { CloudPort, KubernetesPort } from '../ports.ts';
import { clock } from './ground.ts';

type Provider = NodeGroupConfig['provider'];
type Make = (cluster: ClusterName, of: readonly NodeGroupConfig[], kubernetes: KubernetesPort) => CloudPort;

const providers: Readonly<Record<Provider, { readonly make: Make; owns(id: string): boolean }>> = {
  ec2: {
    make: (cluster, [group]) =>
      ec2Cloud({ cluster, region: group?.region ?? '', endpoint: group?.endpoint }, { clock }),
    owns: (id) => !isFixedId(id),
  },
  static: {
    make: (cluster, of, kubernetes) =>
      staticCloud(
        {
          cluster,
          groups: of.map(({ name, selector = {}, taint, capacity: { max } }) => ({
            name,
            selector,
            taint,
            max,
          })),
        },
        { kubernetes, clock },
      ),
    owns: isFixedId,
  },
};

export function cloudOf(
  cluster: ClusterName,
  groups: readonly NodeGroupConfig[],
  kubernetes: KubernetesPort,
): CloudPort {
  const members = (Object.keys(providers) as Provider[]).flatMap((provider): Member[] => {
    const of = groups.filter((g) => g.provider === provider);
    if (of.length === 0) return [];
    const { make, owns } = providers[provider];
    return [
      {
        port: make(cluster, of, kubernetes),
        groups: new Set(of.map(({ name }) => name)),
        types: new Set(of.flatMap(({ types }) => types)),
        templates: new Set(of.flatMap(({ launchTemplate }) => launchTemplate ?? [])),
        owns,
      },
    ];
  });
  return grouped(members);
}
