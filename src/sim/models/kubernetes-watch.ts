/**
 * The watch in process: what the adapter's list-watches tell, from the model's own changes. One stream stands for all of
 * them. Events come in order and never in the middle of somebody's call; a broken stream is opened anew and goes on
 * where it was, or lists again and tells what is different.
 */

import { instant } from '../../domain/ids.ts';
import type { NodeView, PodView } from '../../domain/kube.ts';
import type { KubernetesEvent, Watch } from '../../ports.ts';
import type { KubernetesModel } from './kubernetes.ts';
import type { Following } from './kubernetes-feed.ts';
import type { Node, Pod } from './kubernetes-objects.ts';
import { tenantLabel } from './kubernetes-rights.ts';
import type { Change } from './kubernetes-store.ts';
import { ApiError, type Span } from './kubernetes-types.ts';
import { burstLabel, nodeView, podView } from './kubernetes-views.ts';

/** The adapter opens its watches anew this often, and so hears of the API server even if nothing changes. */
const heardEveryMs = 240_000;

interface Kept<V> {
  readonly uid: string;
  readonly version: string;
  readonly view: V;
}

export function watchAll(
  model: KubernetesModel,
  on: (event: KubernetesEvent) => void,
  complain: (error: unknown) => void,
): Watch {
  const watch = new InProcessWatch(model, on, complain);
  return {
    sight: () => watch.sight(),
    nodes: () => watch.nodes(),
    pods: () => watch.pods(),
    close: async () => watch.close(),
  };
}

class InProcessWatch {
  readonly #model: KubernetesModel;
  readonly #on: (event: KubernetesEvent) => void;
  readonly #complain: (error: unknown) => void;
  readonly #pods = new Map<string, Kept<PodView>>();
  readonly #nodes = new Map<string, Kept<NodeView>>();
  /** Those it watches: new ones are found a while after they were made. */
  #namespaces = new Set<string>();
  #following: Following | undefined;
  #version: number | undefined;
  #listed = false;
  #heard = 0;
  #fault: string | undefined = 'not listed yet';
  #coming: { cancel(): void } | undefined;
  #looking: { cancel(): void } | undefined;
  readonly #switched: { cancel(): void };
  #closed = false;

  constructor(
    model: KubernetesModel,
    on: (event: KubernetesEvent) => void,
    complain: (error: unknown) => void,
  ) {
    this.#model = model;
    this.#on = on;
    this.#complain = complain;
    this.#switched = model.onSwitch(() => {
      // While the API server does not answer there is nothing to try; once it does it is tried within a while.
      if (this.#following === undefined && this.#coming === undefined) this.#again(model.config.healMs);
    });
    void this.#open();
  }

  sight(): ReturnType<Watch['sight']> {
    const at = instant(this.#lastHeard());
    const names = ['namespaces', 'nodes', ...[...this.#namespaces].sort().map((name) => `pods ${name}`)];
    return names.map((what) => ({ what, at, fault: this.#fault }));
  }

  nodes(): readonly NodeView[] | undefined {
    return this.#listed ? [...this.#nodes.values()].map(({ view }) => view) : undefined;
  }

  pods(): readonly PodView[] | undefined {
    return this.#listed ? [...this.#pods.values()].map(({ view }) => view) : undefined;
  }

  close(): void {
    this.#closed = true;
    this.#following?.close();
    this.#coming?.cancel();
    this.#looking?.cancel();
    this.#switched.cancel();
  }

  async #open(): Promise<void> {
    try {
      await this.#model.request('read', () => undefined);
      if (this.#model.on('watch-broken')) throw new ApiError(500, 'InternalError', 'the watch was cut');
      if (this.#closed) return;
      if (this.#version === undefined) this.#list();
      this.#follow();
      this.#fault = undefined;
      this.#heard = this.#model.pace.now();
    } catch (error) {
      if (this.#closed) return;
      this.#fault = error instanceof Error ? error.message : String(error);
      // Too old to go on from; or an outage, after which everything is read anew.
      this.#version = undefined;
      if (error instanceof ApiError && error.code === 410) this.#again(this.#model.config.reopenMs);
    }
  }

  #follow(): void {
    const from = this.#version ?? this.#model.server.store.version;
    this.#following = this.#model.feed.follow(from, {
      take: (change) => this.#take(change),
      broken: () => {
        if (this.#closed) return;
        this.#heard = this.#lastHeard();
        this.#version = this.#following?.version;
        this.#following = undefined;
        this.#fault = 'the watch was cut';
        this.#again(this.#model.config.reopenMs);
      },
    });
  }

  #again(within: Span): void {
    if (this.#closed) return;
    this.#coming?.cancel();
    this.#coming = this.#model.pace.after(within, () => {
      this.#coming = undefined;
      void this.#open();
    });
  }

  /** Everything as it is now; what is different from before is told. */
  #list(): void {
    const { store } = this.#model.server;
    this.#namespaces = this.#tenants();
    const pods = [...store.all('pods')].filter((pod) => this.#wants(pod));
    const nodes = [...store.all('nodes')];
    this.#version = store.version;
    const keys = new Set([...pods, ...nodes].map(keyOf));
    for (const node of nodes) this.#putNode(node);
    for (const pod of pods) this.#putPod(pod);
    for (const [key, { view }] of this.#nodes) if (!keys.has(key)) this.#dropNode(key, view);
    for (const [key, { view }] of this.#pods) if (!keys.has(key)) this.#dropPod(key, view);
    this.#listed = true;
  }

  #take(change: Change): void {
    this.#heard = this.#model.pace.now();
    const gone = change.type === 'DELETED';
    if (change.kind === 'nodes') {
      if (gone) this.#dropNode(keyOf(change.object), nodeView(change.object));
      else this.#putNode(change.object);
    } else if (change.kind === 'pods' && this.#wants(change.object)) {
      if (gone) this.#dropPod(keyOf(change.object), podView(change.object));
      else this.#putPod(change.object);
    } else if (change.kind === 'namespaces') this.#look();
  }

  /** A namespace came, went or changed: noticed when the namespaces are listed next. */
  #look(): void {
    const { pace, config, server } = this.#model;
    this.#looking ??= pace.after(config.namespacesMs, () => {
      this.#looking = undefined;
      const now = this.#tenants();
      const fresh = [...now].filter((name) => !this.#namespaces.has(name));
      this.#namespaces = now;
      for (const pod of server.store.all('pods'))
        if (fresh.includes(pod.metadata.namespace ?? '') && this.#wants(pod)) this.#putPod(pod);
    });
  }

  #tenants(): Set<string> {
    const names = [...this.#model.server.store.all('namespaces')]
      .filter(({ metadata }) => metadata.labels?.[tenantLabel] === 'true')
      .map(({ metadata }) => metadata.name);
    // One that lost its label is watched for as long as pods of ours are in it.
    for (const { view } of this.#pods.values()) names.push(view.ref.namespace);
    return new Set(names);
  }

  #wants({ metadata }: Pod): boolean {
    return metadata.labels?.[burstLabel] !== undefined && this.#namespaces.has(metadata.namespace ?? '');
  }

  #putPod(pod: Pod): void {
    const key = keyOf(pod);
    const { uid, resourceVersion: version } = pod.metadata;
    const before = this.#pods.get(key);
    if (before?.uid === uid && before.version === version) return;
    // The one of that name that was known is gone, and nobody saw it go.
    if (before !== undefined && before.uid !== uid) this.#dropPod(key, before.view);
    const view = podView(pod);
    this.#pods.set(key, { uid, version, view });
    this.#tell({ kind: 'pod', pod: view, gone: false });
  }

  #putNode(node: Node): void {
    const key = keyOf(node);
    const { uid, resourceVersion: version } = node.metadata;
    const before = this.#nodes.get(key);
    if (before?.uid === uid && before.version === version) return;
    if (before !== undefined && before.uid !== uid) this.#dropNode(key, before.view);
    const view = nodeView(node);
    this.#nodes.set(key, { uid, version, view });
    this.#tell({ kind: 'node', node: view, gone: false });
  }

  #dropPod(key: string, pod: PodView): void {
    if (this.#pods.delete(key)) this.#tell({ kind: 'pod', pod, gone: true });
  }

  #dropNode(key: string, node: NodeView): void {
    if (this.#nodes.delete(key)) this.#tell({ kind: 'node', node, gone: true });
  }

  #tell(event: KubernetesEvent): void {
    try {
      this.#on(event);
    } catch (error) {
      this.#complain(error);
    }
  }

  #lastHeard(): number {
    if (this.#following === undefined || this.#fault !== undefined) return this.#heard;
    const silent = this.#model.pace.now() - this.#heard;
    return this.#heard + silent - (silent % heardEveryMs);
  }
}

const keyOf = ({ metadata }: Pod | Node): string => `${metadata.namespace ?? ''}/${metadata.name}`;
