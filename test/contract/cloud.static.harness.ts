/** Fixed nodes of a model cluster, and two gateways that may take them. */
import { staticCloud } from '../../adapters/cloud/static/index.ts';
import { fixedLabel } from '../../adapters/cloud/static/marks.ts';
import { PortError } from '../../src/domain/fault.ts';
import type { LaunchSpec } from '../../src/domain/instance.ts';
import { GiB, nothing, type Resources } from '../../src/domain/resources.ts';
import type { Clock, CloudPort, KubernetesPort } from '../../src/ports.ts';
import type { CloudFault } from '../../src/sim/models/cloud-types.ts';
import type { KubernetesModel } from '../../src/sim/models/kubernetes.ts';
import type { CloudHarness } from './cloud.cases.ts';
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

/** A port whose next writes go astray. */
export function straying(port: KubernetesPort) {
  let lost: 'answer' | 'request' | undefined;
  const stray: KubernetesPort = {
    ...port,
    markNode: async (...asked) => {
      if (lost !== 'request') await port.markNode(...asked);
      if (lost !== undefined) throw new PortError('unknown', 'kubernetes.markNode', `the ${lost} was lost`);
    },
  };
  return {
    port: stray,
    lose: (what: 'answer' | 'request' | undefined) => {
      lost = what;
    },
  };
}

/** What a fault of the contract is among fixed nodes. */
function switchOn(
  cluster: KubernetesModel,
  lose: ReturnType<typeof straying>['lose'],
  name: CloudFault,
  on: boolean,
): void {
  const { rights, store } = cluster.server;
  switch (name) {
    case 'lost-answer':
    case 'lost-request':
      lose(on ? (name === 'lost-answer' ? 'answer' : 'request') : undefined);
      break;
    case 'throttle':
      cluster.switch('throttle', on);
      break;
    case 'api-down':
      cluster.switch('away', on);
      break;
    case 'no-capacity':
      for (const { metadata } of store.all('nodes'))
        asAdmin(cluster, metadata.name, { spec: { unschedulable: on } });
      break;
    case 'unauthorized':
      for (const right of ['list nodes', 'patch nodes']) rights.take(right, on);
      break;
    default:
      throw new Error(`fixed nodes know no ${name}`);
  }
}

export function fixedHarness(
  cluster: KubernetesModel,
  kubernetes: KubernetesPort,
  clock: Clock,
  eventually: CloudHarness['eventually'],
  close: () => Promise<void>,
): CloudHarness {
  const { port: stray, lose } = straying(kubernetes);
  const of = (name: typeof own): CloudPort =>
    staticCloud({ cluster: name, groups: [group] }, { kubernetes: stray, clock });
  const faults = new Set<CloudFault>();
  const none = async (): Promise<never> => {
    throw new Error('nothing is bought here');
  };
  return {
    port: of(own),
    other: of(others),
    spec: fixedSpec,
    types: fixedTypes,
    fault: async (name, on) => {
      switchOn(cluster, lose, name, on);
      if (on) faults.add(name);
      else faults.delete(name);
    },
    ...{ limit: none, price: none, reclaim: none },
    heal: async () => {
      for (const name of faults) switchOn(cluster, lose, name, false);
      faults.clear();
    },
    ...{ eventually, close },
  };
}
