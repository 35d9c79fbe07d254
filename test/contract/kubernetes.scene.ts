/** What the cases of Kubernetes' contract have at hand. */
import { createHash, randomUUID } from 'node:crypto';
import { faultOf } from '../../src/domain/fault.ts';
import type { ContainerView, PodRef, PodView, Tenant } from '../../src/domain/kube.ts';
import type { KubernetesEvent, KubernetesPort, PodManifest, Watch } from '../../src/ports.ts';

export type Does = 'sleep' | 'echo' | 'exit 7';

export interface KubernetesUnderTest {
  /** Lists with pages of `pageSize`. */
  readonly port: KubernetesPort;
  /** What an admin set up for one user. */
  readonly tenant: Tenant;
  /** A Ready node that takes the pods. */
  readonly node: string;
  /** What the gateway may set on a node. */
  readonly groupLabel: string;
  /** Listens on the pod's loopback and sends back what it gets. */
  readonly echoPort: number;
  /** A pod of the tenant, with label and finalizer as every pod of ours has them. Its image is there, and no other is. */
  manifest(does: Does, name: string, burst: string, node?: string): PodManifest;
  /** Another Ready node like the first, whose machine can be switched off without a word. */
  spare(): Promise<{ readonly name: string; powerOff(): Promise<void> }>;
  /** Cuts every connection to the API server, once. */
  cut(): Promise<void>;
  /** Lets time go by; in real time unless told. */
  pass?(ms: number): Promise<void>;
  close(): Promise<void>;
}

export const pageSize = 5;

export interface Made {
  readonly ref: PodRef;
  readonly uid: string;
}

/** One system under test, opened once, and the pods that the cases made on it. */
export class Scene {
  readonly mark = randomUUID().slice(0, 8);
  readonly events: KubernetesEvent[] = [];
  readonly #made: Made[] = [];
  #under: KubernetesUnderTest | undefined;
  #watch: Watch | undefined;

  async open(make: () => Promise<KubernetesUnderTest>): Promise<void> {
    this.#under = await make();
    this.#watch = this.port.watch((event) => this.events.push(event));
  }

  async close(): Promise<void> {
    for (const { ref, uid } of this.#made) {
      await this.port.deletePod(ref, uid, 0).catch(() => {});
      await this.port.releasePod(ref, uid).catch(() => {});
    }
    await this.#under?.close();
  }

  get under(): KubernetesUnderTest {
    if (this.#under === undefined) throw new Error('nothing under test');
    return this.#under;
  }

  get port(): KubernetesPort {
    return this.under.port;
  }

  get watch(): Watch {
    if (this.#watch === undefined) throw new Error('nothing under test');
    return this.#watch;
  }

  ref(short: string): PodRef {
    return { namespace: this.under.tenant.namespace, name: `spill-${short}-${this.mark}` };
  }

  manifest(does: Does, short: string, node?: string): PodManifest {
    return this.under.manifest(does, this.ref(short).name, `burst-${this.mark}`, node);
  }

  create(does: Does, short: string, node?: string): Promise<PodView> {
    return this.createAs(this.manifest(does, short, node));
  }

  async createAs(manifest: PodManifest): Promise<PodView> {
    const pod = await this.port.createPod(manifest);
    this.#made.push({ ref: pod.ref, uid: pod.uid });
    return pod;
  }

  running(ref: PodRef): Promise<PodView> {
    return this.until(`${ref.name} to run`, async () => {
      const pod = await this.port.pod(ref);
      return pod?.containers.main?.state === 'running' ? pod : undefined;
    });
  }

  /** How its main container ended. */
  over(ref: PodRef): Promise<Extract<ContainerView, { state: 'terminated' }>> {
    return this.until(`${ref.name} to be over`, async () => {
      const main = (await this.port.pod(ref))?.containers.main;
      return main?.state === 'terminated' ? main : undefined;
    });
  }

  /** After a cut: a change on a connection that was cut would not know whether it was heard. */
  async answering(): Promise<void> {
    await this.until('the API server to answer', () =>
      this.port.version().then(
        () => true,
        () => false,
      ),
    );
  }

  absent(ref: PodRef): Promise<true> {
    return this.until(
      `the record of ${ref.name} to go`,
      async () => (await this.port.pod(ref)) === undefined,
    );
  }

  /** What the watch told of a pod, as phases. */
  told(ref: PodRef): string[] {
    return this.events.flatMap((event) =>
      event.kind === 'pod' && event.pod.ref.name === ref.name ? [event.gone ? 'gone' : event.pod.phase] : [],
    );
  }

  until<T>(what: string, look: () => T | undefined | false | Promise<T | undefined | false>): Promise<T> {
    return until(what, look, 30_000, this.under.pass);
  }
}

const everyMs = 50;

export async function until<T>(
  what: string,
  look: () => T | undefined | false | Promise<T | undefined | false>,
  ms = 30_000,
  pass: (ms: number) => Promise<void> = (some) => new Promise((resolve) => setTimeout(resolve, some)),
): Promise<T> {
  for (let passed = 0; passed <= ms; passed += everyMs) {
    const seen = await look();
    if (seen !== undefined && seen !== false) return seen;
    await pass(everyMs);
  }
  throw new Error(`waited in vain for ${what}`);
}

export async function faultIn(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    return faultOf(error) ?? `not a fault: ${error}`;
  }
  return 'no fault';
}

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
