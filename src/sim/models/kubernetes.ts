/**
 * A behaving Kubernetes: an API server with versions, watches, finalizers and admission; a scheduler, kubelets, node and
 * pod controllers; and nodes that can fall silent while their containers live on. Each call is atomic; what takes time
 * happens through the scheduler. What runs in containers is `runtime`'s. `asPort` is the face in process,
 * `lab/servers/kubernetes.ts` the one on the wire.
 */
import type { Duplex } from 'node:stream';
import type { PodRef, Tenant } from '../../domain/kube.ts';
import type { KubernetesPort } from '../../ports.ts';
import type { Posted } from './kubernetes-checks.ts';
import { Events } from './kubernetes-events.ts';
import { Feed } from './kubernetes-feed.ts';
import type { Cluster } from './kubernetes-kubelet.ts';
import { emptyNamespaces } from './kubernetes-namespaces.ts';
import { type NodeSpec, Nodes } from './kubernetes-nodes.ts';
import { kubernetesPort } from './kubernetes-port.ts';
import { tenantLabel, type Who } from './kubernetes-rights.ts';
import { plainRuntime, type Runtime } from './kubernetes-runtime.ts';
import { PodScheduler } from './kubernetes-scheduler.ts';
import { ApiServer } from './kubernetes-server.ts';
import { type ContainerRun, Runs } from './kubernetes-truth.ts';
import {
  ApiError,
  badRequest,
  type ImageRule,
  type KubernetesConfig,
  type KubernetesDeps,
  type KubernetesFault,
  kubernetesDefaults,
  NoAnswer,
  Pace,
} from './kubernetes-types.ts';

/** What a request is to do, as far as faults care. */
export type Does = 'read' | 'create' | 'change';

export class KubernetesModel {
  readonly config: KubernetesConfig;
  /** The API server itself: no fault stands before it here. */
  readonly server: ApiServer;
  readonly feed: Feed;
  readonly pace: Pace;
  readonly #nodes: Nodes;
  readonly #runs: Runs;
  readonly #faults = new Set<KubernetesFault>();
  readonly #images = new Map<string, ImageRule>();
  readonly #switched = new Set<() => void>();
  /** What runs in the containers of pods that are set up from now on. */
  runtime: Runtime;

  constructor(config: Partial<KubernetesConfig>, deps: KubernetesDeps) {
    this.config = { ...kubernetesDefaults, ...config };
    const pace = new Pace(deps);
    const server = new ApiServer(this.config, deps);
    const events = new Events(server, pace);
    this.pace = pace;
    this.server = server;
    this.#runs = new Runs(pace);
    this.runtime = plainRuntime(deps.scheduler);
    const cluster: Cluster = {
      config: this.config,
      pace,
      server,
      events,
      runs: this.#runs,
      runtime: () => this.runtime,
      imageRule: (image) => this.#images.get(image) ?? this.config.images[image] ?? this.config.image,
    };
    this.feed = new Feed(server.store, pace, () => this.#lag());
    this.#nodes = new Nodes(cluster);
    new PodScheduler(server, pace, this.config, events);
    emptyNamespaces(server, pace, this.config);
    for (const name of ['default', 'kube-system']) this.#namespace(name, {}, {});
  }

  /** The in-process face, with the gateway's rights. `complain` hears of a watch handler that threw. */
  asPort(complain: (error: unknown) => void = () => undefined): KubernetesPort {
    return kubernetesPort(this, complain);
  }

  /** What an admin's `tenants` sets up: a namespace that says whose it is, with its claims. */
  addTenant({ namespace, uid, gids, claims }: Tenant, podSecurity = 'restricted'): void {
    this.#namespace(
      namespace,
      { [tenantLabel]: 'true', 'pod-security.kubernetes.io/enforce': podSecurity },
      {
        'spillway.dev/uid': `${uid}`,
        'spillway.dev/gids': gids.join(','),
        'spillway.dev/claims': claims.join(','),
      },
    );
    for (const name of claims)
      this.server.create('admin', 'persistentvolumeclaims', namespace, {
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        metadata: { name },
        spec: { accessModes: ['ReadWriteMany'] },
      });
  }

  /** By an admin: one that is nobody's. */
  addNamespace(name: string): void {
    this.#namespace(name, {}, {});
  }

  /** By an admin: takes no new pod from now on, and goes once the last one has. */
  removeTenant(namespace: string): void {
    this.server.remove('admin', { kind: 'namespaces', namespace: undefined, name: namespace });
  }

  /** Beside deploy/kubernetes/admission.yaml: why a pod is refused, in the words the caller sees; undefined = let through. */
  set admission(refuse: (manifest: Posted) => string | undefined) {
    this.server.admission = refuse;
  }

  setImage(image: string, rule: ImageRule): void {
    this.#images.set(image, rule);
  }

  joinNode(spec: NodeSpec): void {
    this.#nodes.join(spec);
  }

  /**
   * Its kubelet dies: after a while the node is Unknown, its containers live on, and streams are cut. With
   * `streams: 'live'` it only cannot reach the API server.
   */
  silenceNode(name: string, { streams = 'cut' }: { readonly streams?: 'cut' | 'live' } = {}): void {
    this.#nodes.silence(name, streams === 'live');
  }

  reviveNode(name: string): void {
    this.#nodes.revive(name);
  }

  /** The machine is gone with all that ran on it; its Node object stays, and becomes Unknown. */
  powerOff(name: string): void {
    this.#nodes.powerOff(name);
  }

  /** Out of memory: the kernel kills this container and no other. */
  oomKill(ref: PodRef, container = 'main'): void {
    const { pod, kubelet } = this.#onNode(ref);
    kubelet?.pod(pod.metadata.uid)?.outOfMemory(container);
  }

  /** By its kubelet, for want of memory or disk: all containers end, the record stays as Failed. */
  evict(ref: PodRef, message = 'The node was low on resource: memory.'): void {
    const { pod, kubelet } = this.#onNode(ref);
    kubelet?.pod(pod.metadata.uid)?.end(1, { reason: 'Evicted', message });
  }

  /** What really ran and runs, whatever the API server was told. */
  truth(): { readonly running: readonly ContainerRun[]; readonly runs: readonly ContainerRun[] } {
    return { running: this.#runs.running(), runs: this.#runs.all() };
  }

  on(fault: KubernetesFault): boolean {
    return this.#faults.has(fault);
  }

  faults(): KubernetesFault[] {
    return [...this.#faults];
  }

  switch(fault: KubernetesFault, on: boolean): void {
    if (on) this.#faults.add(fault);
    else this.#faults.delete(fault);
    if (this.on('away') || this.on('watch-broken')) this.feed.cut();
    if (this.on('away') || this.on('streams-broken')) this.#nodes.cutStreams();
    for (const heed of [...this.#switched]) heed();
  }

  heal(): void {
    this.#faults.clear();
    for (const heed of [...this.#switched]) heed();
  }

  /** Tells of every switched fault. */
  onSwitch(heed: () => void): { cancel(): void } {
    this.#switched.add(heed);
    return { cancel: () => void this.#switched.delete(heed) };
  }

  /** Every open port-forward is reset, once. */
  cutStreams(): void {
    this.#nodes.cutStreams();
  }

  /** Every open watch breaks, once. */
  cutWatches(): void {
    this.feed.cut();
  }

  /** What a watch that broke missed is remembered no longer: it is told 410 and must list. */
  forgetHistory(): void {
    this.server.store.compact();
  }

  /** Every request of either face goes through here: faults come before and after the effect. */
  async request<T>(does: Does, work: () => T): Promise<T> {
    this.reachable();
    const there = this.#way();
    if (there > 0) {
      await this.#pass(there);
      this.reachable();
    }
    if (this.on('lost-request')) return this.#lost();
    if (this.on('throttle'))
      throw new ApiError(429, 'TooManyRequests', 'too many requests, please try again later');
    if (this.on('conflict-storm') && does === 'change')
      throw new ApiError(409, 'Conflict', 'Operation cannot be fulfilled: the object has been modified');
    const answer = work();
    if (this.on('lost-answer')) return this.#lost();
    const back = this.#way();
    if (back > 0) {
      await this.#pass(back);
      if (this.on('away')) throw new NoAnswer(true);
    }
    return answer;
  }

  reachable(): void {
    if (this.on('away')) throw new NoAnswer(false);
  }

  /** A stream to a port of the pod; undefined: nobody listens. Throws as the API server answers. */
  connect(who: Who, { namespace, name }: PodRef, port: number): Duplex | undefined {
    this.server.rights.check(who, 'get', 'pods/portforward', namespace, name);
    const pod = this.server.store.get('pods', namespace, name);
    if (pod === undefined) throw new ApiError(404, 'NotFound', `pods "${name}" not found`);
    const { nodeName } = pod.spec;
    if (nodeName === undefined) throw badRequest(`pod ${name} does not have a host assigned`);
    if (this.on('streams-broken')) throw new ApiError(500, 'InternalError', 'error dialing backend: EOF');
    const node = this.server.store.get('nodes', undefined, nodeName);
    const kubelet = node === undefined ? undefined : this.#nodes.kubelet(nodeName);
    if (kubelet === undefined) throw new ApiError(404, 'NotFound', `nodes "${nodeName}" not found`);
    try {
      return kubelet.dial(pod.metadata.uid, port);
    } catch (error) {
      throw new ApiError(500, 'InternalError', error instanceof Error ? error.message : String(error));
    }
  }

  #lag(): number {
    return this.pace.of(this.config.watchMs) + (this.on('watch-lag') ? this.config.watchLagMs : 0);
  }

  #way(): number {
    return this.pace.of(this.config.latencyMs) + (this.on('slow') ? this.config.slowMs : 0);
  }

  async #lost(): Promise<never> {
    if (this.config.lostMs > 0) await this.#pass(this.config.lostMs);
    throw new NoAnswer(true);
  }

  #pass(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.pace.after([ms, ms], resolve);
    });
  }

  #onNode({ namespace, name }: PodRef) {
    const pod = this.server.get('admin', 'pods', namespace, name);
    return { pod, kubelet: this.#nodes.kubelet(pod.spec.nodeName) };
  }

  #namespace(name: string, labels: Record<string, string>, annotations: Record<string, string>): void {
    this.server.create('admin', 'namespaces', undefined, {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name, labels, annotations },
    });
  }
}
