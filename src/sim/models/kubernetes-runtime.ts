/**
 * What runs in the containers: the seam between the model's kubelets and whoever plays the programs. The kubelet decides
 * when a container starts and when it is killed; the runtime decides what it does, and when it ends by itself.
 */
import type { Duplex } from 'node:stream';
import type { PodRef } from '../../domain/kube.ts';
import type { Scheduler } from '../../ports.ts';
import type { ContainerSpec, Pod, PodSpec, Words } from './kubernetes-objects.ts';
import { Pipe } from './pipe.ts';

export interface Runtime {
  /** A kubelet has made the pod's sandbox; none of its containers runs yet. Once for a pod on a node. */
  start(pod: Sandbox): PodHandle;
}

/** How a container ended: by itself with a code, or by a signal, which the runtime of a node writes as 128 + n. */
export type Ended =
  | { readonly exitCode: number; readonly reason?: string }
  | { readonly signal: number; readonly reason?: string };

/** A pod on its node, as its programs see it. */
export interface Sandbox {
  readonly ref: PodRef;
  readonly uid: string;
  /** Of the label spillway.dev/burst. */
  readonly burst: string | undefined;
  readonly labels: Words;
  readonly annotations: Words;
  readonly node: string;
  readonly ip: string;
  /** As posted: who it runs as, its volumes, its containers with command, args and env. */
  readonly spec: PodSpec;
  env(container: string, name: string): string | undefined;
  /** What a Secret put there for this container, as it was when the pod was set up: `file('keeper', '/spill-key/key')`. */
  file(container: string, path: string): Uint8Array | undefined;
  /** A container ended by itself. Of one that does not run, nothing happens. */
  ended(container: string, how: Ended): void;
}

export interface PodHandle {
  /** The kubelet started it. Init containers come first, one by one: the next starts once this one `ended` with 0. */
  started(container: string): void;
  /** SIGTERM. It is killed after `graceSeconds` unless it ends before. */
  terminate(container: string, graceSeconds: number): void;
  /** It is no more (SIGKILL, out of memory, or its machine lost power): no `ended` is heard any longer. */
  killed(container: string): void;
  /** A connection to the pod's loopback, the dialler's end of it; undefined: nobody listens. A `Pipe` has both ends. */
  dial(port: number): Duplex | undefined;
}

export function sandboxOf(
  { metadata, spec }: Pod,
  of: Pick<Sandbox, 'node' | 'ip' | 'file' | 'ended'>,
): Sandbox {
  const all = [...(spec.initContainers ?? []), ...spec.containers];
  return {
    ref: { namespace: metadata.namespace ?? '', name: metadata.name },
    uid: metadata.uid,
    burst: metadata.labels?.['spillway.dev/burst'],
    labels: metadata.labels ?? {},
    annotations: metadata.annotations ?? {},
    spec,
    env: (container, name) =>
      all.find((one) => one.name === container)?.env?.find((one) => one.name === name)?.value,
    ...of,
  };
}

/**
 * Programs for tests, by the command's first word: `sleep SECONDS` (as process 1 it does not hear SIGTERM), `echo PORT`
 * (listens, and sends back what it gets), `exit CODE`; anything else ends at once with 0, as an installer does.
 */
export function plainRuntime(scheduler: Scheduler): Runtime {
  return { start: (pod) => new PlainPod(pod, scheduler) };
}

class PlainPod implements PodHandle {
  readonly #pod: Sandbox;
  readonly #scheduler: Scheduler;
  readonly #timers = new Map<string, { cancel(): void }>();
  /** By port: whose it is, and its open connections. */
  readonly #ports = new Map<number, { readonly container: string; readonly streams: Set<Duplex> }>();

  constructor(pod: Sandbox, scheduler: Scheduler) {
    this.#pod = pod;
    this.#scheduler = scheduler;
  }

  started(container: string): void {
    const [program, argument] = this.#command(container);
    const value = Number(argument);
    const end = (ms: number, exitCode: number): void => {
      const timer = this.#scheduler.after(ms, () => this.#end(container, exitCode));
      this.#timers.set(container, timer);
    };
    // A pause program has no command: it waits to be ended.
    if (container === 'place') return;
    if (program === 'sleep') end(value * 1_000, 0);
    else if (program === 'exit') end(0, value);
    else if (program === 'echo') this.#ports.set(value, { container, streams: new Set() });
    else end(0, 0);
  }

  terminate(container: string): void {
    if (container === 'place') this.#end(container, 0);
  }

  killed(container: string): void {
    this.#timers.get(container)?.cancel();
    for (const [port, { container: whose, streams }] of this.#ports) {
      if (whose !== container) continue;
      this.#ports.delete(port);
      for (const stream of streams) stream.destroy();
    }
  }

  dial(port: number): Duplex | undefined {
    const listening = this.#ports.get(port);
    if (listening === undefined) return undefined;
    const { near, far } = new Pipe();
    listening.streams.add(far);
    far.once('close', () => listening.streams.delete(far));
    far.pipe(far);
    return near;
  }

  #end(container: string, exitCode: number): void {
    this.killed(container);
    this.#pod.ended(container, { exitCode });
  }

  #command(container: string): readonly string[] {
    const { containers, initContainers } = this.#pod.spec;
    const all: readonly ContainerSpec[] = [...(initContainers ?? []), ...containers];
    const one = all.find(({ name }) => name === container);
    return [...(one?.command ?? []), ...(one?.args ?? [])];
  }
}
