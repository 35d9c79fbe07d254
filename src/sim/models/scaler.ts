/**
 * Whoever scales a cluster besides the gateway, as cluster-autoscaler and Karpenter do: brings a node for a pod that kube-scheduler can place
 * nowhere, after a while, and takes away what is empty or has been silent for too long. It knows nothing of places or bursts.
 */
import type { Clock, Entropy, Scheduler } from '../../ports.ts';
import type { KubernetesModel } from './kubernetes.ts';
import { conditionOf, isOver, type Node, type Pod, type Taint, type Words } from './kubernetes-objects.ts';
import { Room } from './kubernetes-room.ts';

export interface ScalerConfig {
  /** What it may bring, the cheapest first: what pods may request there. */
  readonly types: readonly {
    readonly name: string;
    readonly cpuMillis: number;
    readonly memoryBytes: number;
  }[];
  readonly labels: Words;
  readonly taints: readonly Taint[];
  /** From the look that finds a pod waiting to its node's kubelet, least and most. */
  readonly bootMs: readonly [number, number];
  /** A node without pods is taken away after. */
  readonly idleMs: number;
  /** So is one that is not Ready. */
  readonly silentMs: number;
  readonly max: number;
}

const lookEveryMs = 5_000;
const zones = ['zone-a', 'zone-b'] as const;
const typeLabel = 'node.kubernetes.io/instance-type';

export class ScalerModel {
  readonly #kubernetes: KubernetesModel;
  readonly #deps: { readonly clock: Clock; readonly scheduler: Scheduler; readonly entropy: Entropy };
  readonly #config: ScalerConfig;
  /** By pod. */
  readonly #coming = new Map<string, string>();
  /** Since when there was a reason to take it away. */
  readonly #since = new Map<string, number>();
  readonly #up = new Set<string>();
  #made = 0;
  #timer: { cancel(): void } | undefined;
  /** Off: the cloud has none, so it brings none. */
  brings = true;

  constructor(
    kubernetes: KubernetesModel,
    config: ScalerConfig,
    deps: { readonly clock: Clock; readonly scheduler: Scheduler; readonly entropy: Entropy },
  ) {
    this.#kubernetes = kubernetes;
    this.#config = config;
    this.#deps = deps;
    this.#again();
  }

  /** Machines that run, whatever the API server knows of them. */
  get nodes(): readonly string[] {
    return [...this.#up];
  }

  /** So many were ever made. */
  get made(): number {
    return this.#made;
  }

  stop(): void {
    this.#timer?.cancel();
  }

  /** The machine ends, whatever runs there, and with it its Node object a moment later: the cloud took it back. */
  take(name: string): void {
    if (!this.#up.delete(name)) return;
    this.#since.delete(name);
    this.#kubernetes.powerOff(name);
    this.#deps.scheduler.after(2_000, () => {
      const { server } = this.#kubernetes;
      if (server.store.get('nodes', undefined, name) !== undefined)
        server.remove('admin', { kind: 'nodes', namespace: undefined, name });
    });
  }

  #again(): void {
    this.#timer = this.#deps.scheduler.after(lookEveryMs, () => {
      this.#grow();
      this.#shrink();
      this.#again();
    });
  }

  #grow(): void {
    for (const pod of this.#kubernetes.server.store.all('pods')) {
      const { uid } = pod.metadata;
      if (!waits(pod)) this.#coming.delete(uid);
      else if (this.brings && !this.#coming.has(uid) && this.#up.size < this.#config.max) this.#bring(pod);
    }
  }

  /** As cluster-autoscaler does: where would the pod fit, if there were one more of these? */
  #bring(pod: Pod): void {
    const { bootMs, labels, taints } = this.#config;
    const name = `ext-${this.#made + 1}`;
    const zone = zones[this.#made % zones.length] ?? zones[0];
    const type = this.#config.types.find((t) => {
      const all = { ...labels, [typeLabel]: t.name, 'topology.kubernetes.io/zone': zone };
      return new Room(template(name, all, taints, t)).against(pod) === undefined;
    });
    if (type === undefined) return;
    this.#made += 1;
    this.#up.add(name);
    this.#coming.set(pod.metadata.uid, name);
    const [least, most] = bootMs;
    this.#deps.scheduler.after(least + (most - least) * this.#deps.entropy.random(), () => {
      if (!this.#up.has(name)) return;
      this.#kubernetes.joinNode({
        ...{ name, providerId: `sim:///${zone}/${name}`, taints },
        ...{ cpuMillis: type.cpuMillis, memoryBytes: type.memoryBytes },
        labels: { ...labels, [typeLabel]: type.name, 'topology.kubernetes.io/zone': zone },
      });
    });
  }

  #shrink(): void {
    const now = this.#deps.clock.now();
    const { store } = this.#kubernetes.server;
    for (const name of this.#up) {
      const node = store.get('nodes', undefined, name);
      const after = node === undefined ? undefined : this.#patience(node);
      if (after === undefined) {
        this.#since.delete(name);
        continue;
      }
      const since = this.#since.get(name) ?? now;
      this.#since.set(name, since);
      if (now - since >= after) this.take(name);
    }
  }

  /** How long it stays as it is now; undefined: it is used. */
  #patience(node: Node): number | undefined {
    const { idleMs, silentMs } = this.#config;
    if (conditionOf(node.status.conditions, 'Ready')?.status !== 'True') return silentMs;
    for (const pod of this.#kubernetes.server.store.all('pods'))
      if (pod.spec.nodeName === node.metadata.name && !isOver(pod)) return undefined;
    return idleMs;
  }
}

/** kube-scheduler has said that it fits nowhere, and it preempts nothing. */
const waits = ({ metadata, spec, status }: Pod): boolean =>
  spec.nodeName === undefined &&
  metadata.deletionTimestamp === undefined &&
  status.phase === 'Pending' &&
  status.nominatedNodeName === undefined &&
  conditionOf(status.conditions, 'PodScheduled')?.reason === 'Unschedulable';

const template = (
  name: string,
  labels: Words,
  taints: readonly Taint[],
  { cpuMillis, memoryBytes }: ScalerConfig['types'][number],
): Node => ({
  ...{ apiVersion: 'v1', kind: 'Node' },
  metadata: { name, uid: '', resourceVersion: '', creationTimestamp: '', labels },
  spec: { taints },
  status: {
    ...{ capacity: {}, conditions: [], addresses: [] },
    allocatable: { cpu: `${cpuMillis}m`, memory: `${memoryBytes}`, pods: '110' },
  },
});
