import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { faultOf } from '../../src/domain/fault.ts';
import type { PodRef, PodView, Tenant } from '../../src/domain/kube.ts';
import type { KubernetesEvent, KubernetesPort, PodManifest, Watch } from '../../src/ports.ts';
import { settledFinalizer } from '../../src/translate/index.ts';

export interface KubernetesUnderTest {
  readonly port: KubernetesPort;
  /** What an admin set up for one user. */
  readonly tenant: Tenant;
  /** A Ready node that takes the pods. */
  readonly node: string;
  /** What the gateway may set on a node. */
  readonly groupLabel: string;
  /** Listens on the pod's loopback and sends back what it gets. */
  readonly echoPort: number;
  /** A pod of the tenant, with label and finalizer as every pod of ours has them. */
  manifest(does: 'sleep' | 'echo' | 'exit 7', name: string, burst: string, node?: string): PodManifest;
  close(): Promise<void>;
}

export function kubernetesContract(name: string, make: () => Promise<KubernetesUnderTest>): void {
  describe(`${name}: the contract of Kubernetes`, () => {
    let under: KubernetesUnderTest;
    let port: KubernetesPort;
    let watch: Watch;
    const events: KubernetesEvent[] = [];
    const made: { ref: PodRef; uid: string }[] = [];
    const mark = randomUUID().slice(0, 8);

    beforeAll(async () => {
      under = await make();
      port = under.port;
      watch = port.watch((event) => events.push(event));
    }, 120_000);

    afterAll(async () => {
      for (const { ref, uid } of made) {
        await port.deletePod(ref, uid, 0).catch(() => {});
        await port.releasePod(ref, uid).catch(() => {});
      }
      await under?.close();
    }, 60_000);

    type Does = Parameters<KubernetesUnderTest['manifest']>[0];
    async function create(does: Does, short: string, node?: string): Promise<PodView> {
      const pod = await port.createPod(under.manifest(does, `spill-${short}-${mark}`, `burst-${mark}`, node));
      made.push({ ref: pod.ref, uid: pod.uid });
      return pod;
    }

    async function running(ref: PodRef): Promise<PodView> {
      return until(`${ref.name} to run`, async () => {
        const pod = await port.pod(ref);
        return pod?.containers.main?.state === 'running' ? pod : undefined;
      });
    }

    const told = (ref: PodRef): string[] =>
      events.flatMap((event) =>
        event.kind === 'pod' && event.pod.ref.name === ref.name
          ? [event.gone ? 'gone' : event.pod.phase]
          : [],
      );

    it('a pod is created, read back, and watched until it runs', async () => {
      const pod = await create('sleep', 'run');
      expect(pod).toMatchObject({
        ref: { namespace: under.tenant.namespace, name: `spill-run-${mark}` },
        burst: `burst-${mark}`,
        finalizers: [settledFinalizer],
        deletingSince: undefined,
      });
      const now = await running(pod.ref);
      expect(now).toMatchObject({ uid: pod.uid, phase: 'Running', node: under.node, scheduled: true });
      await until('the watch to say so', () => told(pod.ref).includes('Running'));
      expect(watch.pods()?.find(({ uid }) => uid === pod.uid)?.phase).toBe('Running');
    });

    it('a name that is taken stays with the pod that has it', async () => {
      const pod = await create('sleep', 'twice');
      expect(await faultIn(create('exit 7', 'twice'))).toBe('already_exists');
      expect((await port.pod(pod.ref))?.uid).toBe(pod.uid);
    });

    it('a container’s exit code is told, and its pod stays', async () => {
      const pod = await create('exit 7', 'exit');
      const over = await until('the end', async () => {
        const now = await port.pod(pod.ref);
        return now?.containers.main?.state === 'terminated' ? now : undefined;
      });
      expect(over.containers.main).toMatchObject({ state: 'terminated', exitCode: 7 });
      // The phase follows, and may lag behind the containers.
      await until('the phase', async () => (await port.pod(pod.ref))?.phase === 'Failed');
    });

    it('a pod that no node can take says so', async () => {
      const pod = await create('sleep', 'nowhere', 'no-such-node');
      const seen = await until('a word of the scheduler', async () => {
        const now = await port.pod(pod.ref);
        return now?.reason === 'Unschedulable' ? now : undefined;
      });
      expect(seen).toMatchObject({ scheduled: false, node: undefined, phase: 'Pending' });
      expect(seen.message).not.toBe('');
    });

    it('an absent pod reads as undefined, and cannot be deleted or dialled', async () => {
      const ref = { namespace: under.tenant.namespace, name: `spill-absent-${mark}` };
      expect(await port.pod(ref)).toBeUndefined();
      expect(await faultIn(port.deletePod(ref, randomUUID(), 0))).toBe('not_found');
      expect(await faultIn(port.dial(ref, under.echoPort))).toBe('not_found');
      await port.releasePod(ref, randomUUID());
    });

    it('a deletion meant for an earlier pod of that name is a conflict', async () => {
      const pod = await create('sleep', 'uid');
      expect(await faultIn(port.deletePod(pod.ref, randomUUID(), 0))).toBe('conflict');
      await port.releasePod(pod.ref, randomUUID());
      expect(await port.pod(pod.ref)).toMatchObject({
        uid: pod.uid,
        deletingSince: undefined,
        finalizers: [settledFinalizer],
      });
    });

    it('a deleted pod’s record stays until it is released, with how its containers ended', async () => {
      const pod = await create('sleep', 'final');
      await running(pod.ref);
      await port.deletePod(pod.ref, pod.uid, 1);
      expect((await port.pod(pod.ref))?.deletingSince).toBeDefined();
      // Asked again: still only asked.
      await port.deletePod(pod.ref, pod.uid, 1);
      await until('its container to end', async () => {
        const now = await port.pod(pod.ref);
        return now?.containers.main?.state === 'terminated';
      });
      expect(told(pod.ref)).not.toContain('gone');
      await port.releasePod(pod.ref, pod.uid);
      await port.releasePod(pod.ref, pod.uid);
      await until('its record to go', async () => (await port.pod(pod.ref)) === undefined);
      await until('the watch to say so', () => told(pod.ref).at(-1) === 'gone');
      expect(watch.pods()?.some(({ uid }) => uid === pod.uid)).toBe(false);
    });

    it('a watch that begins later sees what is there', async () => {
      const pod = await create('sleep', 'later');
      const late = port.watch(() => {});
      await until('its list', () => late.pods()?.some(({ uid }) => uid === pod.uid));
      expect(late.nodes()?.map(({ name: node }) => node)).toContain(under.node);
      expect(late.sight().every(({ at, fault }) => at > 0 && fault === undefined)).toBe(true);
      await late.close();
    });

    it('a dialled stream carries every byte both ways', async () => {
      const pod = await create('echo', 'echo');
      await running(pod.ref);
      const stream = await echoing(pod.ref);
      const bytes = randomBytes(1_000_003);
      const got: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => got.push(chunk));
      stream.write(bytes);
      await until('the echo', () => got.reduce((sum, { length }) => sum + length, 0) === bytes.length);
      expect(sha256(Buffer.concat(got))).toBe(sha256(bytes));
      // Several at once, each on its own.
      const two = await echoing(pod.ref);
      two.write('two');
      expect(String((await once(two, 'data'))[0])).toBe('two');
      two.destroy();
      stream.write('one');
      await until('the other to live on', () => got.at(-1)?.toString() === 'one');
      stream.destroy();
    });

    /** The container runs a moment before its program listens. */
    async function echoing(ref: PodRef): Promise<Duplex> {
      return until('the port to listen', async () => {
        const stream = await port.dial(ref, under.echoPort).catch(() => undefined);
        if (stream === undefined) return undefined;
        stream.write('?');
        const heard = await Promise.race([
          once(stream, 'data').then(() => true),
          once(stream, 'close').then(() => false),
        ]).catch(() => false);
        return heard ? stream : undefined;
      });
    }

    it('a port where nobody listens ends the stream, and a pod’s end does', async () => {
      const pod = await create('echo', 'deaf');
      await running(pod.ref);
      const deaf = await port.dial(pod.ref, 9);
      deaf.resume();
      await until('its end', () => deaf.closed);
      const stream = await echoing(pod.ref);
      stream.resume();
      await port.deletePod(pod.ref, pod.uid, 0);
      await until('its end with the pod', () => stream.closed);
    });

    it('a secret is made once, by whoever has its value', async () => {
      const ref = { namespace: under.tenant.namespace, name: `spill-key-${mark}` };
      const key = randomBytes(32);
      await port.createSecret(ref, { key }, { 'spillway.dev/burst': `burst-${mark}` });
      await port.createSecret(ref, { key }, { 'spillway.dev/burst': `burst-${mark}` });
      expect(await faultIn(port.createSecret(ref, { key: randomBytes(32) }, {}))).toBe('already_exists');
      expect(Buffer.from((await port.secret(ref))?.key ?? [])).toEqual(key);
      await port.deleteSecret(ref);
      await port.deleteSecret(ref);
      expect(await port.secret(ref)).toBeUndefined();
    });

    it('a tenant is what the admin wrote, and nobody else is one', async () => {
      expect(await port.tenant(under.tenant.uid)).toEqual(under.tenant);
      expect(await port.tenant(4_000_000)).toBeUndefined();
    });

    it('a node is seen, labelled with its group and cordoned', async () => {
      const find = async () => (await port.nodes()).find(({ name: node }) => node === under.node);
      expect(await find()).toMatchObject({ ready: 'true', unschedulable: false });
      expect((await find())?.allocatable.cpuMillis).toBeGreaterThan(0);
      await port.labelNode(under.node, { [under.groupLabel]: 'cpu' });
      await port.labelNode(under.node, { [under.groupLabel]: 'cpu' });
      expect((await find())?.labels[under.groupLabel]).toBe('cpu');
      await until('the watch to see it', () =>
        watch
          .nodes()
          ?.some(({ name: node, labels }) => node === under.node && labels[under.groupLabel] === 'cpu'),
      );
      await port.cordonNode(under.node);
      await port.cordonNode(under.node);
      expect(await find()).toMatchObject({ unschedulable: true });
    });

    it('a node that is not there is not found', async () => {
      const gone = `gone-${mark}`;
      expect(await faultIn(port.labelNode(gone, { [under.groupLabel]: 'cpu' }))).toBe('not_found');
      expect(await faultIn(port.cordonNode(gone))).toBe('not_found');
      expect(await faultIn(port.deleteNode(gone))).toBe('not_found');
    });

    it('it says its version, and that no right is missing', async () => {
      expect(await port.version()).toMatch(/^v1\.\d+/);
      expect(await port.missingRights()).toEqual([]);
    });
  });
}

export async function until<T>(
  what: string,
  look: () => T | undefined | false | Promise<T | undefined | false>,
  ms = 30_000,
): Promise<T> {
  const end = performance.now() + ms;
  for (;;) {
    const seen = await look();
    if (seen !== undefined && seen !== false) return seen;
    if (performance.now() > end) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
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
