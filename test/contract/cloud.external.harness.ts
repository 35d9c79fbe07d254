/** A model cluster that somebody else may scale, and two gateways that ask him for nodes. */
import { type ExternalGroup, externalCloud } from '../../adapters/cloud/external/index.ts';
import type { LaunchSpec } from '../../src/domain/instance.ts';
import { placesNamespace } from '../../src/domain/kube.ts';
import { GiB, type Resources } from '../../src/domain/resources.ts';
import type { Clock, CloudPort, KubernetesPort } from '../../src/ports.ts';
import type { KubernetesModel } from '../../src/sim/models/kubernetes.ts';
import type { CloudHarness } from './cloud.cases.ts';
import { faultsOf, straying } from './cloud.faults.ts';
import { others, own } from './cloud.harness.ts';
import { taint } from './kubernetes.harness.ts';

export const group: ExternalGroup = {
  ...{ name: 'burst', selector: { pool: 'burst' }, taint, image: 'lab/pause:1', holdMs: 1_800_000 },
};
export const externalTypes = [
  { name: 'x.small', vcpus: 2, memoryBytes: 8 * GiB, gpus: 0 },
  { name: 'x.large', vcpus: 8, memoryBytes: 32 * GiB, gpus: 0 },
];

export const needing = (cpuMillis: number, memoryBytes = GiB): LaunchSpec => {
  const needs: Resources = { cpuMillis, memoryBytes, extended: {} };
  return {
    ...{ group: group.name, launchTemplate: '', types: ['x.small', 'x.large'], zones: ['external'] },
    ...{ capacityType: 'on-demand', tags: {}, external: { needs } },
  };
};

/** What an administrator sets up [deploy/kubernetes/external]. */
export function setUp(cluster: KubernetesModel): void {
  cluster.addNamespace(placesNamespace);
  cluster.server.rights.holdPlaces();
}

/** What a launch and an end are here. */
export const writes = ['createPod', 'deletePod'] as const;

export const cloudFor = (
  name: typeof own,
  kubernetes: KubernetesPort,
  clock: Clock,
  of: Partial<ExternalGroup> = {},
): CloudPort =>
  externalCloud(
    { cluster: name, groups: [{ ...group, ...of }], types: externalTypes },
    { kubernetes, clock },
  );

export function externalHarness(
  cluster: KubernetesModel,
  kubernetes: KubernetesPort,
  clock: Clock,
  eventually: CloudHarness['eventually'],
  close: () => Promise<void>,
): CloudHarness {
  const { port: stray, lose } = straying(kubernetes, writes);
  return {
    port: cloudFor(own, stray, clock),
    other: cloudFor(others, stray, clock),
    spec: needing(500),
    types: externalTypes.map(({ name, vcpus, memoryBytes }) => ({ name, vcpus, memoryBytes })),
    ...faultsOf(cluster, lose, {
      unauthorized: (on) => {
        for (const right of ['create pods', 'list pods']) cluster.server.rights.take(right, on);
      },
    }),
    ...{ eventually, close },
  };
}
