/** Nodes: how one joins, how it falls silent, and what the node controllers make of it. */
import { type Cluster, Kubelet } from './kubernetes-kubelet.ts';
import {
  conditionOf,
  type Node,
  type Pod,
  type Taint,
  timestamp,
  type Words,
  withCondition,
} from './kubernetes-objects.ts';
import { tolerates } from './kubernetes-room.ts';
import { keyOf } from './kubernetes-store.ts';

export interface NodeSpec {
  readonly name: string;
  /** Such as `aws:///eu-sim-1a/i-0abc`. */
  readonly providerId?: string;
  /** What pods may use. */
  readonly cpuMillis: number;
  readonly memoryBytes: number;
  readonly pods?: number;
  /** By name, such as `nvidia.com/gpu`. */
  readonly extended?: Readonly<Record<string, number>>;
  readonly labels?: Words;
  readonly taints?: readonly Taint[];
}

interface Machine {
  spec: NodeSpec;
  kubelet: Kubelet;
  state: 'up' | 'silent' | 'off';
  /** What its kubelet is about to tell: that it is there, that it is ready. */
  coming: { cancel(): void } | undefined;
  /** When the node controller gives up waiting for it. */
  missed: { cancel(): void } | undefined;
}

const unreachable = 'node.kubernetes.io/unreachable';
const notReady = 'node.kubernetes.io/not-ready';

export class Nodes {
  readonly #cluster: Cluster;
  readonly #machines = new Map<string, Machine>();
  /** By pod: its deletion for a taint that it tolerates for a while only. */
  readonly #evictions = new Map<string, { cancel(): void }>();
  #serial = 0;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
    cluster.server.store.listen((change) => {
      if (change.kind === 'pods' && change.object.spec.nodeName !== undefined) {
        this.#machines.get(change.object.spec.nodeName)?.kubelet.heed(change);
        if (change.type === 'DELETED') this.#spare(change.object);
        else if (change.before?.spec.nodeName === undefined) this.#taintsOn(change.object);
      } else if (change.kind === 'secrets') {
        for (const { kubelet } of this.#machines.values()) kubelet.heed(change);
      } else if (change.kind === 'nodes' && change.type === 'DELETED') this.#collect(change.object);
    });
  }

  /** A machine runs and its kubelet will register it. A machine of that name that was there is another one now. */
  join(spec: NodeSpec): void {
    const before = this.#machines.get(spec.name);
    before?.coming?.cancel();
    before?.missed?.cancel();
    before?.kubelet.powerOff();
    this.#serial += 1;
    const kubelet = new Kubelet(spec.name, this.#serial, this.#cluster);
    const machine: Machine = { spec, kubelet, state: 'up', coming: undefined, missed: undefined };
    this.#machines.set(spec.name, machine);
    this.#then(machine, this.#cluster.config.registerMs, () => this.#register(machine));
  }

  /** The kubelet dies; containers live on. With `reachable` it only cannot tell, and what dials it gets through. */
  silence(name: string, reachable: boolean): void {
    const machine = this.#get(name);
    if (machine.state !== 'up') return;
    machine.state = 'silent';
    machine.kubelet.die(reachable);
    this.#fallSilent(machine);
  }

  /** A kubelet runs again on a machine that never stopped. */
  revive(name: string): void {
    const machine = this.#get(name);
    if (machine.state !== 'silent') return;
    machine.state = 'up';
    this.#then(machine, this.#cluster.config.readyMs, () => this.#register(machine));
  }

  /** Containers are gone with their machine, and nobody tells the API server. */
  powerOff(name: string): void {
    const machine = this.#machines.get(name);
    if (machine === undefined || machine.state === 'off') return;
    const wasUp = machine.state === 'up';
    machine.state = 'off';
    machine.kubelet.powerOff();
    if (wasUp) this.#fallSilent(machine);
  }

  kubelet(name: string | undefined): Kubelet | undefined {
    return name === undefined ? undefined : this.#machines.get(name)?.kubelet;
  }

  cutStreams(): void {
    for (const { kubelet } of this.#machines.values()) kubelet.cutStreams();
  }

  #get(name: string): Machine {
    const machine = this.#machines.get(name);
    if (machine === undefined) throw new Error(`no machine ${name}`);
    return machine;
  }

  #then(machine: Machine, span: readonly [number, number], work: () => void): void {
    machine.coming?.cancel();
    machine.coming = this.#cluster.pace.after(span, () => {
      machine.coming = undefined;
      work();
    });
  }

  #register(machine: Machine): void {
    const { server, config } = this.#cluster;
    const { spec, kubelet } = machine;
    // A kubelet takes the object of its name as it finds it, labels and taints included.
    if (server.store.get('nodes', undefined, spec.name) === undefined)
      server.store.add('nodes', this.#object(machine));
    machine.missed?.cancel();
    kubelet.start();
    this.#then(machine, config.readyMs, () => this.#ready(spec.name));
  }

  #ready(name: string): void {
    const { server, pace, config } = this.#cluster;
    this.#condition(name, {
      status: 'True',
      reason: 'KubeletReady',
      message: 'kubelet is posting ready status',
    });
    pace.after(config.controllerMs, () => {
      const node = server.store.get('nodes', undefined, name);
      if (conditionOf(node?.status.conditions, 'Ready')?.status !== 'True') return;
      this.#retaint(name, []);
      for (const pod of this.#podsOn(name)) this.#spare(pod);
    });
  }

  #fallSilent(machine: Machine): void {
    const { config, pace } = this.#cluster;
    const { name } = machine.spec;
    machine.coming?.cancel();
    machine.missed?.cancel();
    machine.missed = pace.after(config.silentMs, () => {
      const message = 'Kubelet stopped posting node status.';
      this.#condition(name, { status: 'Unknown', reason: 'NodeStatusUnknown', message });
      pace.after(config.controllerMs, () => {
        const node = this.#cluster.server.store.get('nodes', undefined, name);
        if (conditionOf(node?.status.conditions, 'Ready')?.status !== 'Unknown') return;
        const timeAdded = timestamp(pace.now());
        this.#retaint(name, [
          { key: unreachable, effect: 'NoSchedule', timeAdded },
          { key: unreachable, effect: 'NoExecute', timeAdded },
        ]);
        for (const pod of this.#podsOn(name)) {
          this.#unready(pod);
          this.#taintsOn(pod);
        }
      });
    });
  }

  #condition(
    name: string,
    ready: {
      readonly status: 'True' | 'False' | 'Unknown';
      readonly reason: string;
      readonly message: string;
    },
  ): void {
    const now = this.#cluster.pace.now();
    this.#cluster.server.update('nodes', undefined, name, (node) => {
      if (conditionOf(node.status.conditions, 'Ready')?.status === ready.status) return undefined;
      const conditions = withCondition(node.status.conditions, { type: 'Ready', ...ready }, now);
      return { ...node, status: { ...node.status, conditions } };
    });
  }

  /** The controllers' own taints, as they are to be now. */
  #retaint(name: string, own: readonly Taint[]): void {
    this.#cluster.server.update('nodes', undefined, name, (node) => {
      const others = (node.spec.taints ?? []).filter(({ key }) => key !== unreachable && key !== notReady);
      if (own.length === 0 && others.length === node.spec.taints?.length) return undefined;
      return { ...node, spec: { ...node.spec, taints: [...others, ...own] } };
    });
  }

  #unready(pod: Pod): void {
    const { server, pace } = this.#cluster;
    const { namespace, name } = pod.metadata;
    server.update('pods', namespace, name, (before) => {
      if (conditionOf(before.status.conditions, 'Ready')?.status !== 'True') return undefined;
      const conditions = withCondition(
        before.status.conditions,
        { type: 'Ready', status: 'False' },
        pace.now(),
      );
      return { ...before, status: { ...before.status, conditions } };
    });
  }

  /** Taint-based eviction: who does not tolerate it for ever is asked to end; on a silent node nobody hears that. */
  #taintsOn(pod: Pod): void {
    const { server, pace } = this.#cluster;
    const { namespace, name, uid, deletionTimestamp } = pod.metadata;
    const node = server.store.get('nodes', undefined, pod.spec.nodeName ?? '');
    const evicting = (node?.spec.taints ?? []).filter(({ effect }) => effect === 'NoExecute');
    const key = keyOf('pods', namespace, name);
    if (evicting.length === 0 || deletionTimestamp !== undefined || this.#evictions.has(key)) return;
    const waits = evicting.map((taint) => {
      const fitting = (pod.spec.tolerations ?? []).filter((one) => tolerates([one], taint));
      const limited = fitting.flatMap(({ tolerationSeconds }) => tolerationSeconds ?? []);
      if (fitting.length === 0) return 0;
      return limited.length === 0 ? undefined : Math.max(0, Math.min(...limited)) * 1_000;
    });
    const bounded = waits.flatMap((ms) => ms ?? []);
    if (bounded.length === 0) return;
    const ms = Math.min(...bounded);
    const timer = pace.after([ms, ms], () => {
      this.#evictions.delete(key);
      this.#disrupted(
        pod,
        'DeletionByTaintManager',
        'Taint manager: deleting due to NoExecute taint',
        undefined,
      );
      server.end('pods', namespace ?? '', name, uid, undefined);
    });
    this.#evictions.set(key, timer);
  }

  #spare(pod: Pod): void {
    const key = keyOf('pods', pod.metadata.namespace, pod.metadata.name);
    this.#evictions.get(key)?.cancel();
    this.#evictions.delete(key);
  }

  /** The pod collector: what was on a Node that is no more is called failed and deleted without grace. */
  #collect({ metadata }: Node): void {
    const { server, pace, config } = this.#cluster;
    pace.after(config.collectMs, () => {
      if (server.store.get('nodes', undefined, metadata.name) !== undefined) return;
      for (const pod of this.#podsOn(metadata.name)) {
        const { namespace, name, uid } = pod.metadata;
        this.#disrupted(pod, 'DeletionByPodGC', 'PodGC: node no longer exists', 'Failed');
        server.end('pods', namespace ?? '', name, uid, 0);
      }
    });
  }

  #disrupted(pod: Pod, reason: string, message: string, phase: string | undefined): void {
    const { server, pace } = this.#cluster;
    const { namespace, name } = pod.metadata;
    server.update('pods', namespace, name, (before) => {
      const over = before.status.phase === 'Failed' || before.status.phase === 'Succeeded';
      if (before.metadata.uid !== pod.metadata.uid || over) return undefined;
      const mark = { type: 'DisruptionTarget', status: 'True', reason, message } as const;
      const conditions = withCondition(before.status.conditions, mark, pace.now());
      return { ...before, status: { ...before.status, conditions, phase: phase ?? before.status.phase } };
    });
  }

  #podsOn(node: string): Pod[] {
    return [...this.#cluster.server.store.all('pods')].filter(({ spec }) => spec.nodeName === node);
  }

  #object({ spec, kubelet }: Machine): Node {
    const { server, pace } = this.#cluster;
    const { name, labels, taints, providerId } = spec;
    const resources: Words = {
      cpu: `${spec.cpuMillis}m`,
      memory: `${spec.memoryBytes}`,
      pods: `${spec.pods ?? 110}`,
      ...Object.fromEntries(Object.entries(spec.extended ?? {}).map(([key, n]) => [key, `${n}`])),
    };
    return {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: server.meta({
        name,
        labels: {
          'kubernetes.io/arch': 'amd64',
          'kubernetes.io/hostname': name,
          'kubernetes.io/os': 'linux',
          ...labels,
        },
      }),
      spec: {
        ...(providerId === undefined ? {} : { providerID: providerId }),
        taints: [...(taints ?? []), { key: notReady, effect: 'NoSchedule' }],
      },
      status: {
        capacity: resources,
        allocatable: resources,
        conditions: withCondition(
          [],
          {
            type: 'Ready',
            status: 'False',
            reason: 'KubeletNotReady',
            message: 'container runtime network not ready',
          },
          pace.now(),
        ),
        addresses: [
          { type: 'InternalIP', address: kubelet.ip },
          { type: 'Hostname', address: name },
        ],
      },
    };
  }
}
