/** Fixed nodes of a model cluster, and two gateways that may take them. */
import { staticCloud } from '../../adapters/cloud/static/index.ts';
import { fixedLabel } from '../../adapters/cloud/static/marks.ts';
import type { LaunchSpec } from '../../src/domain/instance.ts';
import { GiB, nothing, type Resources } from '../../src/domain/resources.ts';
import type { Clock, CloudPort, KubernetesPort } from '../../src/ports.ts';
import type { KubernetesModel } from '../../src/sim/models/kubernetes.ts';
import type { CloudHarness } from './cloud.cases.ts';
import { faultsOf, straying } from './cloud.faults.ts';
import { others, own } from './cloud.harness.ts';
import { taint } from './kubernetes.harness.ts';

export const group = { name: 'fixed', selector: { pool: 'hpc' }, taint, max: 1 } as const;
export const fixedTypes = [{ name: group.name, vcpus: 2, memoryBytes: 8 * GiB }];

export const fixedSpec: LaunchSpec = {
  group: group.name,
  launchTemplate: '',
  types: [group.name],
  zones: ['static'],
  capacityType: 'on-demand',
  tags: {},
  fixed: { needs: nothing, most: nothing },
};

export const needing = (cpuMillis: number, memoryBytes: number): LaunchSpec => {
  const needs: Resources = { cpuMillis, memoryBytes, extended: {} };
  return { ...fixedSpec, fixed: { needs, most: needs } };
};

/** Nodes that were always there; the first by name has the least. */
export function joinFixed(cluster: KubernetesModel, count: number): readonly string[] {
  cluster.server.rights.seeAllPods();
  const names = Array.from({ length: count }, (_, i) => `n${`${i}`.padStart(2, '0')}`);
  for (const [i, name] of names.entries())
    cluster.joinNode({
      name,
      cpuMillis: i === 0 ? 2_000 : 4_000,
      memoryBytes: (i === 0 ? 8 : 16) * GiB,
      labels: { pool: 'hpc', [fixedLabel]: 'true' },
    });
  return names;
}

export const asAdmin = (cluster: KubernetesModel, name: string, patch: unknown): unknown =>
  cluster.server.patch('admin', { kind: 'nodes', namespace: undefined, name }, 'merge', patch);

export function fixedHarness(
  cluster: KubernetesModel,
  kubernetes: KubernetesPort,
  clock: Clock,
  eventually: CloudHarness['eventually'],
  close: () => Promise<void>,
): CloudHarness {
  const { port: stray, lose } = straying(kubernetes, ['markNode']);
  const of = (name: typeof own): CloudPort =>
    staticCloud({ cluster: name, groups: [group] }, { kubernetes: stray, clock });
  const { rights, store } = cluster.server;
  return {
    port: of(own),
    other: of(others),
    spec: fixedSpec,
    types: fixedTypes,
    ...faultsOf(cluster, lose, {
      'no-capacity': (on) => {
        for (const { metadata } of store.all('nodes'))
          asAdmin(cluster, metadata.name, { spec: { unschedulable: on } });
      },
      unauthorized: (on) => {
        for (const right of ['list nodes', 'patch nodes']) rights.take(right, on);
      },
    }),
    ...{ eventually, close },
  };
}
