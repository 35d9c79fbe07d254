/** One pod on its node: what its kubelet does with it, step by step, and what is true of it when nobody is told. */
import type { Duplex } from 'node:stream';
import { PortError } from '../../domain/fault.ts';
import type { Instant } from '../../domain/ids.ts';
import type { PodRef } from '../../domain/kube.ts';
import { Errands } from './kubernetes-errands.ts';
import type { Host } from './kubernetes-host.ts';
import { type Pulled, volumesOf } from './kubernetes-images.ts';
import { alike, type ContainerSpec, type Pod } from './kubernetes-objects.ts';
import { type Ended, type PodHandle, sandboxOf } from './kubernetes-runtime.ts';
import { type Container, type Seen, type State, statusOf, succeeded } from './kubernetes-status.ts';
import type { Span } from './kubernetes-types.ts';

/** An image that could not be pulled is `ErrImagePull` until its kubelet looks again, and backs off from then on. */
const nextLookMs: Span = [5_000, 9_000];

type Eviction = { readonly reason: string; readonly message: string };

export class LocalPod {
  readonly ref: PodRef;
  readonly uid: string;
  readonly #host: Host;
  readonly #since: Instant;
  readonly #containers = new Map<string, Container>();
  readonly #streams = new Set<Duplex>();
  readonly #retries = new Map<string, number>();
  #pod: Pod;
  /** Its record is gone. */
  #unrecorded = false;
  #handle: PodHandle | undefined;
  #files: ((container: string, path: string) => Uint8Array | undefined) | undefined;
  #ip: string | undefined;
  /** Set once: the first grace that reached the kubelet counts, a later, shorter one does not hasten what is under way. */
  #grace: number | undefined;
  #eviction: Eviction | undefined;
  #final = false;
  /** What the kubelet has under way; all of it ends with the kubelet. */
  readonly #errands: Errands;

  constructor(pod: Pod, host: Host) {
    const { namespace, name, uid } = pod.metadata;
    this.ref = { namespace: namespace ?? '', name };
    this.uid = uid;
    this.#pod = pod;
    this.#host = host;
    this.#errands = new Errands(host.pace);
    this.#since = host.pace.now();
    const { initContainers, containers } = pod.spec;
    const reason = initContainers === undefined ? 'ContainerCreating' : 'PodInitializing';
    for (const spec of initContainers ?? [])
      this.#set({ spec, init: true, state: { is: 'waiting', reason } });
    for (const spec of containers) this.#set({ spec, init: false, state: { is: 'waiting', reason } });
  }

  get runs(): boolean {
    return [...this.#containers.values()].some(({ state }) => state.is === 'running');
  }

  /** Its record as its kubelet last saw it. */
  get last(): Pod {
    return this.#pod;
  }

  /** The kubelet looks at its record. */
  seen(pod: Pod): void {
    this.#pod = pod;
    const { deletionTimestamp, deletionGracePeriodSeconds } = pod.metadata;
    if (deletionTimestamp === undefined) this.advance();
    else if (this.#final) this.#confirm();
    else this.end(deletionGracePeriodSeconds ?? 0);
  }

  /** Its record is gone: its containers go too. */
  unrecorded(last: Pod): void {
    this.#pod = last;
    this.#unrecorded = true;
    if (this.#final) this.#host.forget(this.uid);
    else this.end(last.metadata.deletionGracePeriodSeconds ?? last.spec.terminationGracePeriodSeconds ?? 30);
  }

  /** The next thing to do, if nothing is under way. */
  advance(): void {
    if (!this.#host.alive || this.#grace !== undefined || this.#final || this.#errands.has('step')) return;
    if (this.#ip === undefined) {
      this.#report();
      this.#files = volumesOf(this.#pod, this.#host.server, this.#host.events);
      if (this.#files !== undefined)
        this.#errands.run('step', this.#host.config.sandboxMs, () => this.#setUp());
      return;
    }
    const all = [...this.#containers.values()];
    const init = all.find((one) => one.init && !succeeded(one.state));
    if (init?.state.is === 'over') {
      this.#wither();
      return;
    }
    const next =
      init ??
      all.find(({ state, spec }) => state.is === 'waiting' && !this.#errands.has(`retry ${spec.name}`));
    if (next?.state.is === 'waiting' && !this.#errands.has(`retry ${next.spec.name}`)) this.#begin(next.spec);
    else if (next === undefined && all.every(({ state }) => state.is === 'over')) this.#wither();
  }

  /** SIGTERM to all, SIGKILL after the grace; what has not started never will. */
  end(graceSeconds: number, eviction?: Eviction): void {
    if (!this.#host.alive || this.#final || this.#grace !== undefined) return;
    // A kubelet gives a second at least.
    this.#grace = Math.max(1, graceSeconds);
    this.#eviction = eviction;
    this.#errands.stopAllBut('report');
    for (const { spec, state } of this.#containers.values())
      if (state.is === 'running') {
        this.#host.events.record(
          this.#pod,
          'Normal',
          'Killing',
          `Stopping container ${spec.name}`,
          'kubelet',
        );
        this.#handle?.terminate(spec.name, this.#grace);
      }
    const ms = this.#grace * 1_000;
    if (this.runs) this.#errands.run('kill', [ms, ms], () => this.#killAll());
    else this.#settle();
  }

  /** By the kernel, for its memory. */
  outOfMemory(container: string): void {
    if (this.#containers.get(container)?.state.is === 'running') this.#kill(container, 'OOMKilled');
  }

  /** The machine is off: nobody is told. */
  powerOff(): void {
    for (const { spec, state } of this.#containers.values())
      if (state.is === 'running') {
        this.#host.runs.end({ uid: this.uid, container: spec.name, node: this.#host.node }, 137, 'PowerOff');
        this.#handle?.killed(spec.name);
      }
    this.#handle = undefined;
    this.pause();
    this.cutStreams();
  }

  /** The kubelet died: what it had under way is forgotten. */
  pause(): void {
    this.#errands.stopAllBut();
  }

  /** A kubelet began anew and found it. */
  resume(): void {
    const grace = this.#grace;
    this.#grace = undefined;
    this.#report();
    if (this.#final) this.#confirm();
    else if (grace !== undefined) this.end(grace, this.#eviction);
    else this.advance();
  }

  /** Undefined: nobody listens there. Throws its kubelet's words where there is no sandbox to dial into. */
  dial(port: number): Duplex | undefined {
    if (this.#handle === undefined || this.#final) throw new Error(`pod ${this.ref.name} is not running`);
    const stream = this.#handle.dial(port);
    if (stream === undefined) return undefined;
    this.#streams.add(stream);
    stream.once('close', () => this.#streams.delete(stream));
    return stream;
  }

  /** Both ends see a connection that broke. */
  cutStreams(): void {
    for (const stream of [...this.#streams])
      stream.destroy(new PortError('transient', 'kubernetes.dial', 'the stream was cut'));
  }

  #setUp(): void {
    this.#ip = this.#host.podIp();
    this.#handle = this.#host.runtime().start(
      sandboxOf(this.#pod, {
        node: this.#host.node,
        ip: this.#ip,
        file: (container, path) => this.#files?.(container, path),
        ended: (container, how) => this.#ended(container, how),
      }),
    );
    this.#report();
    this.advance();
  }

  #begin(spec: ContainerSpec): void {
    const { images, config, events } = this.#host;
    const pull = images.pull(spec);
    if (pull.kind === 'never') {
      this.#blocked(spec, pull);
      return;
    }
    const pullMs = pull.kind === 'present' ? 0 : pull.ms;
    if (pull.kind !== 'present')
      events.record(this.#pod, 'Normal', 'Pulling', `Pulling image "${spec.image}"`, 'kubelet');
    const startMs = this.#host.pace.of(config.startMs);
    this.#errands.run('step', [pullMs, pullMs], () => {
      const got = pull.kind === 'present' ? pull : images.pulled(spec);
      if (got.kind === 'never') this.#blocked(spec, got);
      else this.#errands.run('step', [startMs, startMs], () => this.#start(spec));
    });
  }

  /** The next container is not held up by it; this one is tried again later and later. */
  #blocked(spec: ContainerSpec, { reason, message }: Extract<Pulled, { kind: 'never' }>): void {
    const tries = (this.#retries.get(spec.name) ?? 0) + 1;
    this.#retries.set(spec.name, tries);
    this.#change(spec.name, { is: 'waiting', reason, message });
    this.#host.events.record(this.#pod, 'Warning', 'Failed', `Error: ${reason}`, 'kubelet');
    const backoff = Math.min(300_000, 10_000 * 2 ** (tries - 1));
    this.#errands.run(`retry ${spec.name}`, [backoff, backoff], () => this.advance());
    if (reason === 'ErrImagePull')
      this.#errands.run(`backing off ${spec.name}`, nextLookMs, () => {
        if (this.#containers.get(spec.name)?.state.is === 'waiting')
          this.#change(spec.name, {
            is: 'waiting',
            reason: 'ImagePullBackOff',
            message: `Back-off pulling image "${spec.image}": ErrImagePull: ${message}`,
          });
      });
    this.advance();
  }

  #start(spec: ContainerSpec): void {
    const { runs, node, pace, events } = this.#host;
    const burst = this.#pod.metadata.labels?.['spillway.dev/burst'];
    runs.begin({ pod: this.ref, uid: this.uid, burst, container: spec.name, node });
    this.#change(spec.name, { is: 'running', startedAt: pace.now() });
    events.record(this.#pod, 'Normal', 'Started', `Started container ${spec.name}`, 'kubelet');
    this.#handle?.started(spec.name);
    this.advance();
  }

  #ended(container: string, how: Ended): void {
    if (this.#containers.get(container)?.state.is !== 'running') return;
    const exitCode = 'signal' in how ? 128 + how.signal : how.exitCode;
    this.#over(container, exitCode, how.reason ?? (exitCode === 0 ? 'Completed' : 'Error'));
    this.#goOn();
  }

  #kill(container: string, reason: string): void {
    const handle = this.#handle;
    this.#over(container, 137, reason);
    // It is over before its runtime hears of it, which may answer with an end of its own.
    handle?.killed(container);
    this.#goOn();
  }

  #killAll(): void {
    for (const { spec, state } of [...this.#containers.values()])
      if (state.is === 'running') this.#kill(spec.name, 'Error');
  }

  #over(container: string, exitCode: number, reason: string): void {
    const { runs, node, pace } = this.#host;
    const state = this.#containers.get(container)?.state;
    const startedAt = state?.is === 'running' ? state.startedAt : pace.now();
    runs.end({ uid: this.uid, container, node }, exitCode, reason);
    this.#change(container, { is: 'over', exitCode, reason, startedAt, finishedAt: pace.now() });
  }

  #goOn(): void {
    if (this.#grace === undefined) this.advance();
    else if (!this.runs) this.#settle();
  }

  /** Ended by itself: the phase follows once the kubelet has seen to the rest. */
  #wither(): void {
    if (!this.#errands.has('wither'))
      this.#errands.run('wither', this.#host.config.phaseMs, () => this.#settle());
  }

  /** Nothing of it runs or will. */
  #settle(): void {
    if (!this.#host.alive || this.#final) return;
    const all = [...this.#containers.values()];
    const initialized = all.every(({ init, state }) => !init || succeeded(state));
    const message = 'The container could not be located when the pod was terminated';
    if (this.#grace !== undefined)
      for (const { spec, init, state } of all)
        if (state.is === 'waiting' && (init || initialized))
          this.#change(spec.name, { is: 'over', exitCode: 137, reason: 'ContainerStatusUnknown', message });
    this.#final = true;
    this.#handle = undefined;
    for (const stream of [...this.#streams]) stream.destroy();
    this.#report();
  }

  /** The kubelet's own deletion: the record may go as far as the kubelet is concerned. */
  #confirm(): void {
    if (this.#unrecorded) {
      this.#host.forget(this.uid);
      return;
    }
    if (this.#pod.metadata.deletionTimestamp === undefined || this.#errands.has('confirm')) return;
    this.#errands.run('confirm', this.#host.config.confirmMs, () =>
      this.#host.server.end('pods', this.ref.namespace, this.ref.name, this.uid, 0),
    );
  }

  #report(): void {
    if (!this.#host.alive || this.#errands.has('report')) return;
    this.#errands.run('report', this.#host.config.reportMs, () => {
      const { server, pace } = this.#host;
      server.update('pods', this.ref.namespace, this.ref.name, (before) => {
        if (before.metadata.uid !== this.uid) return undefined;
        const status = statusOf(before.status, this.#sight(), pace.now());
        return alike(status, before.status) ? undefined : { ...before, status };
      });
      if (this.#final) this.#confirm();
    });
  }

  #sight(): Seen {
    return {
      containers: [...this.#containers.values()],
      ip: this.#ip,
      hostIp: this.#host.ip,
      since: this.#since,
      final: this.#final,
      evicted: this.#eviction,
    };
  }

  #change(container: string, state: State): void {
    const known = this.#containers.get(container);
    if (known === undefined) return;
    this.#set({ ...known, state });
    this.#report();
  }

  #set(container: Container): void {
    this.#containers.set(container.spec.name, container);
  }
}
