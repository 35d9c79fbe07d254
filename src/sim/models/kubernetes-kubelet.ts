/** A machine and its kubelet: which pods are on it, what the kubelet hears of them, and what is left when either is dead. */
import type { Duplex } from 'node:stream';
import type { Events } from './kubernetes-events.ts';
import type { Host } from './kubernetes-host.ts';
import { Images } from './kubernetes-images.ts';
import { LocalPod } from './kubernetes-localpod.ts';
import { isOver, type Pod } from './kubernetes-objects.ts';
import type { Runtime } from './kubernetes-runtime.ts';
import type { ApiServer } from './kubernetes-server.ts';
import type { Change, ChangeOf } from './kubernetes-store.ts';
import type { Runs } from './kubernetes-truth.ts';
import type { ImageRule, KubernetesConfig, Pace } from './kubernetes-types.ts';

export interface Cluster {
  readonly config: KubernetesConfig;
  readonly pace: Pace;
  readonly server: ApiServer;
  readonly events: Events;
  readonly runs: Runs;
  runtime(): Runtime;
  imageRule(image: string): ImageRule;
}

export class Kubelet implements Host {
  readonly node: string;
  readonly ip: string;
  readonly config: KubernetesConfig;
  readonly pace: Pace;
  readonly server: ApiServer;
  readonly events: Events;
  readonly images: Images;
  readonly runs: Runs;
  readonly #cluster: Cluster;
  readonly #pods = new Map<string, LocalPod>();
  readonly #serial: number;
  #ips = 1;
  /** Until it is started. */
  #alive = false;
  #reachable = false;

  constructor(node: string, serial: number, cluster: Cluster) {
    const { config, pace, server, events, runs } = cluster;
    this.node = node;
    this.ip = `10.${50 + Math.floor(serial / 62_500)}.${Math.floor(serial / 250) % 250}.${(serial % 250) + 1}`;
    this.config = config;
    this.pace = pace;
    this.server = server;
    this.events = events;
    this.runs = runs;
    this.images = new Images((image) => cluster.imageRule(image), config, pace);
    this.#cluster = cluster;
    this.#serial = serial;
  }

  get alive(): boolean {
    return this.#alive;
  }

  runtime(): Runtime {
    return this.#cluster.runtime();
  }

  podIp(): string {
    this.#ips += 1;
    return `10.${100 + (Math.floor(this.#serial / 250) % 100)}.${this.#serial % 250}.${this.#ips % 250}`;
  }

  forget(uid: string): void {
    if (this.#pods.get(uid)?.runs === false) this.#pods.delete(uid);
  }

  /** Something changed that may concern it; it looks a moment later. */
  heed(change: Change): void {
    if (!this.#alive) return;
    const { kind, type, object } = change;
    if (kind === 'pods' && object.spec.nodeName === this.node && news(change))
      this.#later(() => this.#look(object, type === 'DELETED'));
    else if (kind === 'secrets' && type === 'ADDED')
      for (const pod of this.#pods.values())
        if (pod.ref.namespace === object.metadata.namespace) this.#later(() => pod.advance());
  }

  /** With `reachable` only its own words are lost: what dials it still gets through. */
  die(reachable: boolean): void {
    this.#alive = false;
    this.#reachable = reachable;
    for (const pod of this.#pods.values()) {
      pod.pause();
      if (!reachable) pod.cutStreams();
    }
  }

  powerOff(): void {
    this.die(false);
    for (const pod of this.#pods.values()) pod.powerOff();
    this.#pods.clear();
  }

  /** Begins with what is on the machine and what the API server wants to be there. */
  start(): void {
    this.#alive = true;
    this.#reachable = true;
    const wanted = new Map<string, Pod>();
    for (const pod of this.server.store.all('pods'))
      if (pod.spec.nodeName === this.node) wanted.set(pod.metadata.uid, pod);
    for (const [uid, local] of [...this.#pods]) {
      const pod = wanted.get(uid);
      local.resume();
      if (pod === undefined) local.unrecorded(local.last);
      else local.seen(pod);
    }
    for (const [uid, pod] of wanted) if (!this.#pods.has(uid)) this.#admit(pod);
  }

  pod(uid: string): LocalPod | undefined {
    return this.#pods.get(uid);
  }

  /** Undefined: nobody listens there. Throws in the API server's words where there is no way to it. */
  dial(uid: string, port: number): Duplex | undefined {
    if (!this.#reachable)
      throw new Error(`error dialing backend: dial tcp ${this.ip}:10250: connect: connection refused`);
    const pod = this.#pods.get(uid);
    if (pod === undefined)
      throw new Error('error upgrading connection: unable to upgrade connection: pod does not exist');
    return pod.dial(port);
  }

  cutStreams(): void {
    for (const pod of this.#pods.values()) pod.cutStreams();
  }

  #look(then: Pod, deleted: boolean): void {
    const { namespace, name, uid } = then.metadata;
    const now = this.server.store.get('pods', namespace, name);
    const local = this.#pods.get(uid);
    if (now?.metadata.uid !== uid) {
      // Of several changes the one that says how it was deleted is the last.
      if (deleted) local?.unrecorded(then);
    } else if (local !== undefined) local.seen(now);
    else this.#admit(now);
  }

  #admit(pod: Pod): void {
    // Never started here again: what is over stays over.
    if (isOver(pod)) return;
    const local = new LocalPod(pod, this);
    this.#pods.set(pod.metadata.uid, local);
    local.seen(pod);
    const { activeDeadlineSeconds: seconds } = pod.spec;
    if (seconds !== undefined) this.#endAfter(pod.metadata.uid, seconds * 1_000);
  }

  /** A kubelet that was dead when it was time finds it when it lives again. */
  #endAfter(uid: string, ms: number): void {
    this.pace.after([ms, ms], () => {
      const message = 'Pod was active on the node longer than the specified deadline';
      if (this.#alive) this.#pods.get(uid)?.end(1, { reason: 'DeadlineExceeded', message });
      else if (this.#pods.has(uid)) this.#endAfter(uid, 60_000);
    });
  }

  #later(work: () => void): void {
    this.pace.after(this.config.kubeletMs, () => {
      if (this.#alive) work();
    });
  }
}

/** What it wrote itself is none. */
function news({ type, object, before }: ChangeOf<'pods'>): boolean {
  if (type !== 'MODIFIED') return true;
  const [now, then] = [object.metadata, before?.metadata];
  return (
    before?.spec.nodeName === undefined || now.deletionGracePeriodSeconds !== then?.deletionGracePeriodSeconds
  );
}
