/** In the place of a cloud: somebody else who scales the cluster. What befalls a machine befalls one of his. */
import { externalCloud } from '../../../adapters/cloud/external/index.ts';
import { instanceLabel, placesNamespace } from '../../../src/domain/kube.ts';
import type { NodeGroup } from '../../../src/domain/policy.ts';
import { GiB } from '../../../src/domain/resources.ts';
import type { Clock, CloudPort, Entropy, KubernetesPort, Scheduler } from '../../../src/ports.ts';
import type { KubernetesModel } from '../../../src/sim/models/kubernetes.ts';
import { isOver } from '../../../src/sim/models/kubernetes-objects.ts';
import { ScalerModel } from '../../../src/sim/models/scaler.ts';
import { cluster, group } from './centre.ts';
import type { WorldPlan } from './scenario.ts';

const selector = { pool: 'hpc' };
const types = [
  { name: 'm.small', vcpus: 8, memoryBytes: 16 * GiB, gpus: 0 },
  { name: 'm.large', vcpus: 16, memoryBytes: 32 * GiB, gpus: 0 },
];

/** The centre's group, scaled by somebody else. */
export const externalGroup: NodeGroup = {
  ...group,
  ...{ external: true, launchTemplate: '', zones: ['external'] },
};

export class ExternalNodes {
  readonly scaler: ScalerModel;
  readonly #cluster: KubernetesModel;
  readonly #silent = new Set<string>();

  constructor(
    kubernetes: KubernetesModel,
    deps: { readonly clock: Clock; readonly scheduler: Scheduler; readonly entropy: Entropy },
  ) {
    this.#cluster = kubernetes;
    kubernetes.server.rights.holdPlaces();
    kubernetes.addNamespace(placesNamespace);
    this.scaler = new ScalerModel(
      kubernetes,
      {
        types: types.map(({ name, vcpus, memoryBytes }) => ({
          name,
          cpuMillis: vcpus * 1_000 - 100,
          memoryBytes: memoryBytes - GiB / 2,
        })),
        labels: selector,
        taints: [group.taint],
        bootMs: [20_000, 60_000],
        idleMs: 120_000,
        silentMs: 240_000,
        max: 6,
      },
      deps,
    );
  }

  port(kubernetes: KubernetesPort, clock: Clock): CloudPort {
    const { name, taint } = externalGroup;
    const own = { name, selector, taint, image: 'pause', holdMs: 1_800_000 };
    return externalCloud({ cluster, groups: [own], types }, { kubernetes, clock });
  }

  happen({ does, nth, forMs }: WorldPlan, after: (ms: number, work: () => void) => void): boolean {
    const { nodes } = this.scaler;
    const name = nodes[nth % Math.max(1, nodes.length)];
    switch (does) {
      case 'silence':
        if (name !== undefined) this.silence(name);
        return true;
      case 'revive':
        this.revive();
        return true;
      case 'power-off':
        if (name !== undefined) this.#cluster.powerOff(name);
        return true;
      case 'reclaim':
        if (name !== undefined) this.scaler.take(name);
        return true;
      case 'no-capacity':
      case 'never-joins':
        this.scaler.brings = false;
        after(forMs, () => {
          this.scaler.brings = true;
        });
        return true;
      default:
        return false;
    }
  }

  silence(name: string): void {
    this.#silent.add(name);
    this.#cluster.silenceNode(name);
  }

  revive(): void {
    for (const name of this.#silent) if (this.scaler.nodes.includes(name)) this.#cluster.reviveNode(name);
    this.#silent.clear();
  }

  mend(): void {
    this.scaler.brings = true;
    this.revive();
  }

  /** Why not all has come to rest: pods that hold a place, and nodes that are still an instance. */
  left(): readonly string[] {
    const { store } = this.#cluster.server;
    const held = [...store.all('pods')].filter(
      (pod) =>
        pod.metadata.namespace === placesNamespace &&
        pod.metadata.deletionTimestamp === undefined &&
        !isOver(pod),
    );
    const had = [...store.all('nodes')].filter((n) => n.metadata.labels?.[instanceLabel] !== undefined);
    return [...held, ...had].map(({ metadata }) => metadata.name);
  }

  /** What nobody but who scales them may have done. */
  harmed(): readonly string[] {
    return [...this.#cluster.server.store.all('nodes')].flatMap(({ metadata, spec }) =>
      spec.unschedulable === true ? [`${metadata.name} is cordoned`] : [],
    );
  }
}
