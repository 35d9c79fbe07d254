/** In the place of a cloud: nodes that are always there. What befalls a machine befalls one of them, and people see to those that are off. */
import { staticCloud } from '../../../adapters/cloud/static/index.ts';
import { fixedLabel } from '../../../adapters/cloud/static/marks.ts';
import { instanceLabel, offTaint } from '../../../src/domain/kube.ts';
import type { NodeGroup } from '../../../src/domain/policy.ts';
import { GiB } from '../../../src/domain/resources.ts';
import type { Clock, CloudPort, KubernetesPort } from '../../../src/ports.ts';
import type { KubernetesModel } from '../../../src/sim/models/kubernetes.ts';
import { cluster, group } from './centre.ts';
import type { WorldPlan } from './scenario.ts';

const selector = { pool: 'hpc' };

/** The centre's group, of fixed nodes: their one type has its name. */
export const fixedGroup: NodeGroup = {
  ...group,
  ...{ fixed: true, launchTemplate: '', types: [group.name], zones: ['static'], max: 4 },
  prices: { [group.name]: 200_000 },
};

export class FixedNodes {
  readonly names: readonly string[];
  readonly #cluster: KubernetesModel;
  readonly #silent = new Set<string>();
  readonly #off = new Set<string>();

  constructor(kubernetes: KubernetesModel, count: number) {
    this.#cluster = kubernetes;
    this.names = Array.from({ length: count }, (_, i) => `f${i + 1}`);
    kubernetes.server.rights.seeAllPods();
    for (const name of this.names) this.#join(name);
  }

  port(kubernetes: KubernetesPort, clock: Clock): CloudPort {
    const { name, taint, max } = fixedGroup;
    return staticCloud({ cluster, groups: [{ name, selector, taint, max }] }, { kubernetes, clock });
  }

  happen({ does, nth, forMs }: WorldPlan, after: (ms: number, work: () => void) => void): boolean {
    const name = this.names[nth % this.names.length] ?? '';
    switch (does) {
      case 'silence':
        this.silence(name);
        return true;
      case 'revive':
        this.revive();
        return true;
      case 'power-off':
      case 'reclaim':
        this.powerOff(name);
        return true;
      case 'no-capacity':
        this.#cordon(true);
        after(forMs, () => this.#cordon(false));
        return true;
      default:
        return false;
    }
  }

  silence(name: string): void {
    if (this.#off.has(name)) return;
    this.#silent.add(name);
    this.#cluster.silenceNode(name);
  }

  revive(): void {
    for (const name of this.#silent) this.#cluster.reviveNode(name);
    this.#silent.clear();
  }

  powerOff(name: string): void {
    this.#silent.delete(name);
    this.#off.add(name);
    this.#cluster.powerOff(name);
  }

  /** Of every other one that is off a person says so; the rest is switched on again, with the Node object that it had. */
  mend(): void {
    this.#cordon(false);
    this.revive();
    for (const [i, name] of [...this.#off].entries())
      if (i % 2 === 0) this.saysOff(name);
      else {
        this.#join(name);
        this.#off.delete(name);
      }
  }

  saysOff(name: string): void {
    const { server } = this.#cluster;
    const taints = server.store.get('nodes', undefined, name)?.spec.taints ?? [];
    const off = { key: offTaint, value: 'nodeshutdown', effect: 'NoExecute' };
    server.patch('admin', { kind: 'nodes', namespace: undefined, name }, 'merge', {
      spec: { taints: [...taints, off] },
    });
  }

  /** Why not all has come to rest: nodes that are still taken, but for those that are off for good. */
  left(): readonly string[] {
    return this.names.filter((name) => {
      const node = this.#cluster.server.store.get('nodes', undefined, name);
      return node?.metadata.labels?.[instanceLabel] !== undefined && !this.#off.has(name);
    });
  }

  /** What nobody but their owner may have done. */
  harmed(): readonly string[] {
    return this.names.flatMap((name) => {
      const node = this.#cluster.server.store.get('nodes', undefined, name);
      if (node === undefined) return [`the Node object of ${name} is gone`];
      return node.spec.unschedulable === true ? [`${name} is cordoned`] : [];
    });
  }

  #join(name: string): void {
    this.#cluster.joinNode({
      ...{ name, cpuMillis: 16_000, memoryBytes: 32 * GiB },
      labels: { ...selector, [fixedLabel]: 'true' },
    });
  }

  #cordon(unschedulable: boolean): void {
    const { server } = this.#cluster;
    for (const name of this.names)
      if (server.store.get('nodes', undefined, name) !== undefined)
        server.patch('admin', { kind: 'nodes', namespace: undefined, name }, 'merge', {
          spec: { unschedulable },
        });
  }
}
