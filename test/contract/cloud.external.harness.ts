/** A model cluster that somebody else may scale, and two gateways that ask him for nodes. */
import { type ExternalGroup, externalCloud } from '../../adapters/cloud/external/index.ts';
import { PortError } from '../../src/domain/fault.ts';
import type { LaunchSpec } from '../../src/domain/instance.ts';
import { placesNamespace } from '../../src/domain/kube.ts';
import { GiB, type Resources } from '../../src/domain/resources.ts';
import type { Clock, CloudPort, KubernetesPort } from '../../src/ports.ts';
import type { CloudFault } from '../../src/sim/models/cloud-types.ts';
import type { KubernetesModel } from '../../src/sim/models/kubernetes.ts';
import type { CloudHarness } from './cloud.cases.ts';
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

/** A port whose next writes go astray. */
export function straying(port: KubernetesPort) {
  let lost: 'answer' | 'request' | undefined;
  const astray = async <T>(method: string, work: () => Promise<T>): Promise<T> => {
    const answer = lost === 'request' ? undefined : await work();
    if (lost !== undefined) throw new PortError('unknown', `kubernetes.${method}`, `the ${lost} was lost`);
    return answer as T;
  };
  const stray: KubernetesPort = {
    ...port,
    createPod: (...asked) => astray('createPod', () => port.createPod(...asked)),
    deletePod: (...asked) => astray('deletePod', () => port.deletePod(...asked)),
  };
  return {
    port: stray,
    lose: (what: 'answer' | 'request' | undefined) => {
      lost = what;
    },
  };
}

/** What a fault of the contract is where a launch is a pod. */
function switchOn(
  cluster: KubernetesModel,
  lose: ReturnType<typeof straying>['lose'],
  name: CloudFault,
  on: boolean,
): void {
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
    case 'unauthorized':
      for (const right of ['create pods', 'list pods']) cluster.server.rights.take(right, on);
      break;
    default:
      throw new Error(`nodes that somebody else scales know no ${name}`);
  }
}

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
  const { port: stray, lose } = straying(kubernetes);
  const faults = new Set<CloudFault>();
  const none = async (): Promise<never> => {
    throw new Error('nothing is bought here');
  };
  return {
    port: cloudFor(own, stray, clock),
    other: cloudFor(others, stray, clock),
    spec: needing(500),
    types: externalTypes.map(({ name, vcpus, memoryBytes }) => ({ name, vcpus, memoryBytes })),
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
