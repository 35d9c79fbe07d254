/** What every KubernetesPort must do, whatever stands behind it. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { settledFinalizer } from '../../src/translate/index.ts';
import { endCases } from './kubernetes.contract.ends.ts';
import { nodeCases } from './kubernetes.contract.nodes.ts';
import { secretCases } from './kubernetes.contract.secrets.ts';
import { streamCases } from './kubernetes.contract.streams.ts';
import { watchCases } from './kubernetes.contract.watch.ts';
import { faultIn, type KubernetesUnderTest, Scene } from './kubernetes.scene.ts';

export function kubernetesContract(name: string, make: () => Promise<KubernetesUnderTest>): void {
  describe(`${name}: the contract of Kubernetes`, () => {
    const scene = new Scene();
    beforeAll(() => scene.open(make), 120_000);
    afterAll(() => scene.close(), 60_000);
    podCases(scene);
    endCases(scene);
    watchCases(scene);
    streamCases(scene);
    secretCases(scene);
    nodeCases(scene);
  });
}

function podCases(scene: Scene): void {
  it('a pod is created, read back, and watched until it runs', async () => {
    const { port, under, watch, mark } = scene;
    const pod = await scene.create('sleep', 'run');
    expect(pod).toMatchObject({
      ref: { namespace: under.tenant.namespace, name: `spill-run-${mark}` },
      burst: `burst-${mark}`,
      finalizers: [settledFinalizer],
      deletingSince: undefined,
    });
    const now = await scene.running(pod.ref);
    expect(now).toMatchObject({ uid: pod.uid, phase: 'Running', node: under.node, scheduled: true });
    expect(now.podIp).toMatch(/^\d+\.\d+\.\d+\.\d+$/);
    await scene.until('the watch to say so', () => scene.told(pod.ref).includes('Running'));
    expect(watch.pods()?.find(({ uid }) => uid === pod.uid)?.phase).toBe('Running');
    expect(await port.pod(pod.ref)).toEqual(now);
  });

  it('a name that is taken stays with the pod that has it', async () => {
    const pod = await scene.create('sleep', 'twice');
    expect(await faultIn(scene.create('exit 7', 'twice'))).toBe('already_exists');
    expect((await scene.port.pod(pod.ref))?.uid).toBe(pod.uid);
  });

  it('a container’s exit code is told, and its pod stays', async () => {
    const pod = await scene.create('exit 7', 'exit');
    expect(await scene.over(pod.ref)).toMatchObject({ exitCode: 7, reason: 'Error' });
    // The phase follows, and may lag behind the containers.
    await scene.until('the phase', async () => (await scene.port.pod(pod.ref))?.phase === 'Failed');
  });

  it('a pod that no node can take says so', async () => {
    const pod = await scene.create('sleep', 'nowhere', 'no-such-node');
    const seen = await scene.until('a word of the scheduler', async () => {
      const now = await scene.port.pod(pod.ref);
      return now?.reason === 'Unschedulable' ? now : undefined;
    });
    expect(seen).toMatchObject({ scheduled: false, node: undefined, phase: 'Pending' });
    expect(seen.message).not.toBe('');
  });

  it('a pod whose image is not there waits, says why, and never runs', async () => {
    const good = scene.manifest('sleep', 'image');
    const containers = good.spec.containers as readonly Readonly<Record<string, unknown>>[];
    const spec = { ...good.spec, containers: containers.map((one) => ({ ...one, image: 'lab/none:1' })) };
    const pod = await scene.createAs({ ...good, spec });
    const main = await scene.until('a word of the kubelet', async () => {
      const one = (await scene.port.pod(pod.ref))?.containers.main;
      return one?.state === 'waiting' && one.reason === 'ErrImageNeverPull' ? one : undefined;
    });
    expect(main.message).toContain('lab/none:1');
    await scene.port.deletePod(pod.ref, pod.uid, 1);
    expect(await scene.over(pod.ref)).toMatchObject({ exitCode: 137, reason: 'ContainerStatusUnknown' });
  });

  it('an absent pod reads as undefined, and cannot be deleted or dialled', async () => {
    const { port, under } = scene;
    const ref = scene.ref('absent');
    expect(await port.pod(ref)).toBeUndefined();
    expect(await faultIn(port.deletePod(ref, randomUUID(), 0))).toBe('not_found');
    expect(await faultIn(port.dial(ref, under.echoPort))).toBe('not_found');
    await port.releasePod(ref, randomUUID());
  });

  it('a manifest that a policy refuses is refused in its words, and nothing is made', async () => {
    const good = scene.manifest('sleep', 'refused');
    const security = good.spec.securityContext as Readonly<Record<string, unknown>>;
    const refusals: readonly (readonly [string, Readonly<Record<string, unknown>>])[] = [
      ["uid is not the namespace's", { securityContext: { ...security, runAsUser: 4_000_000 } }],
      ['restartPolicy must be Never', { restartPolicy: 'Always' }],
    ];
    for (const [words, change] of refusals) {
      const work = scene.createAs({ ...good, spec: { ...good.spec, ...change } });
      expect(await faultIn(work)).toBe('refused');
      await expect(work).rejects.toThrow(words);
    }
    expect(await scene.port.pod(scene.ref('refused'))).toBeUndefined();
  });

  it('where it has no rights it is refused', async () => {
    const good = scene.manifest('sleep', 'elsewhere');
    const elsewhere = { ...good, metadata: { ...good.metadata, namespace: 'default' } };
    expect(await faultIn(scene.createAs(elsewhere))).toBe('refused');
  });

  it('it says its version, and that no right is missing', async () => {
    expect(await scene.port.version()).toMatch(/^v1\.\d+/);
    expect(await scene.port.missingRights()).toEqual([]);
  });
}
