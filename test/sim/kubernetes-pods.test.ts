/** What only a model of Kubernetes can be asked of pods: how they start, end and are placed when something is amiss. */
import { describe, expect, it } from 'vitest';
import { manifest, minute, second, world } from './kubernetes.harness.ts';

describe('a pod', () => {
  it('whose main runs out of memory keeps its keeper', async () => {
    const w = await world();
    await w.node('a');
    const { ref } = await w.pod('one', 'a');
    w.model.oomKill(ref);
    const now = await w.until(async () => {
      const pod = await w.look(ref);
      return pod?.containers.main?.state === 'terminated' && pod;
    });
    expect(now).toMatchObject({
      phase: 'Running',
      containers: { main: { exitCode: 137, signal: 0, reason: 'OOMKilled' }, keeper: { state: 'running' } },
    });
    expect(w.running()).toEqual(['spill-one/keeper']);
  });

  it('that its kubelet evicts ends whole, and its record stays as Failed', async () => {
    const w = await world();
    await w.node('a');
    const { ref } = await w.pod('one', 'a');
    w.model.evict(ref, 'The node was low on resource: ephemeral-storage.');
    const now = await w.until(async () => {
      const pod = await w.look(ref);
      return pod?.phase === 'Failed' && pod;
    });
    expect(now).toMatchObject({
      reason: 'Evicted',
      message: 'The node was low on resource: ephemeral-storage.',
      deletingSince: undefined,
      containers: { main: { state: 'terminated' }, keeper: { state: 'terminated' } },
    });
    expect(w.running()).toEqual([]);
  });

  it('whose image cannot be pulled backs off, starts its other containers, and runs once it can', async () => {
    const w = await world();
    await w.node('a');
    w.model.setImage('registry.example.org/hpc/base:1', {
      pullMs: [2_000, 2_000],
      fault: 'manifest unknown',
    });
    const { ref } = await w.port.createPod(manifest('one', 'a'));
    const main = async () => (await w.look(ref))?.containers.main;
    await w.until(async () => {
      const one = await main();
      return (
        one?.state === 'waiting' &&
        one.reason === 'ImagePullBackOff' &&
        one.message.includes('manifest unknown')
      );
    });
    const told = w.events.flatMap((event) =>
      event.kind === 'pod' && event.pod.containers.main?.state === 'waiting'
        ? [event.pod.containers.main.reason]
        : [],
    );
    expect(told).toContain('ErrImagePull');
    await w.until(async () => (await w.look(ref))?.containers.keeper?.state === 'running');
    expect((await w.look(ref))?.phase).toBe('Pending');
    w.model.setImage('registry.example.org/hpc/base:1', { pullMs: [2_000, 2_000] });
    await w.until(async () => (await main())?.state === 'running');
    // The next one on that node has it at once.
    const at = w.time.now();
    await w.pod('two', 'a');
    expect(w.time.now() - at).toBeLessThan(5_000);
  });

  it('with an image name that is none never tries', async () => {
    const w = await world();
    await w.node('a');
    const good = manifest('one', 'a');
    const containers = (good.spec.containers as readonly object[]).map((one) => ({
      ...one,
      image: 'Hpc/BASE',
    }));
    const { ref } = await w.port.createPod({ ...good, spec: { ...good.spec, containers } });
    await w.until(async () => {
      const main = (await w.look(ref))?.containers.main;
      return main?.state === 'waiting' && main.reason === 'InvalidImageName';
    });
  });

  it('waits for its key, and sees it as it was when it was set up', async () => {
    const w = await world();
    await w.node('a');
    const files: (Uint8Array | undefined)[] = [];
    w.model.runtime = {
      start: (pod) => {
        files.push(pod.file('keeper', '/spill-key/key'), pod.file('main', '/spill-key/key'));
        return { started: () => {}, terminate: () => {}, killed: () => {}, dial: () => undefined };
      },
    };
    const plain = manifest('one', 'a');
    const containers = (plain.spec.containers as readonly { name: string }[]).map((one) =>
      one.name === 'keeper'
        ? { ...one, volumeMounts: [{ name: 'spill-key', mountPath: '/spill-key' }] }
        : one,
    );
    const { ref } = await w.port.createPod({ ...plain, spec: { ...plain.spec, containers } });
    await w.pass(minute);
    expect((await w.look(ref))?.containers.main).toMatchObject({
      state: 'waiting',
      reason: 'PodInitializing',
    });
    expect(files).toEqual([]);
    await w.port.createSecret({ ...ref, name: 'spill-key-one' }, { key: Uint8Array.of(1, 2, 3) }, {});
    await w.until(() => files.length > 0);
    expect(files).toEqual([Uint8Array.of(1, 2, 3), undefined]);
  });

  it('whose init container fails is over, and its others never start', async () => {
    const w = await world();
    await w.node('a');
    const good = manifest('one', 'a');
    const [agent] = good.spec.initContainers as readonly object[];
    const spec = { ...good.spec, initContainers: [{ ...agent, command: ['exit', '3'] }] };
    const { ref } = await w.port.createPod({ ...good, spec });
    const over = await w.until(async () => {
      const pod = await w.look(ref);
      return pod?.phase === 'Failed' && pod;
    });
    expect(over.containers).toMatchObject({
      agent: { state: 'terminated', exitCode: 3 },
      main: { state: 'waiting', reason: 'PodInitializing' },
    });
    expect(w.model.truth().runs.map(({ container }) => container)).toEqual(['agent']);
  });

  it('ends by the first grace that reached its kubelet: a later, shorter one changes the record only', async () => {
    const w = await world();
    await w.node('a');
    const { ref, uid } = await w.pod('one', 'a');
    await w.port.deletePod(ref, uid, 120);
    await w.pass(2 * second);
    await w.port.deletePod(ref, uid, 1);
    await w.pass(100 * second);
    expect(w.running()).toEqual(['spill-one/keeper', 'spill-one/main']);
    await w.pass(30 * second);
    expect(w.running()).toEqual([]);
  });

  it('whose claim is gone is not placed until it is there', async () => {
    const w = await world();
    await w.node('a');
    const place = { kind: 'persistentvolumeclaims', namespace: 'spillway-alice', name: 'home' } as const;
    w.model.server.remove('admin', place);
    const { ref } = await w.port.createPod(manifest('one', 'a'));
    await w.pass(second);
    expect(await w.look(ref)).toMatchObject({ reason: 'Unschedulable' });
    expect((await w.look(ref))?.message).toContain('persistentvolumeclaim "home" not found');
    w.model.server.create('admin', 'persistentvolumeclaims', place.namespace, {
      kind: 'PersistentVolumeClaim',
      metadata: { name: 'home' },
    });
    await w.until(async () => (await w.look(ref))?.phase === 'Running');
  });
});

describe('the scheduler', () => {
  it('places what fits, by processors, memory, count and extended resources, and the rest when there is room', async () => {
    const w = await world();
    await w.node('a', { cpuMillis: 1_100, memoryBytes: 8 * 2 ** 30 });
    await w.node('b', { memoryBytes: 600 * 2 ** 20 });
    await w.node('c', { pods: 1 });
    const first = await w.pod('one', 'a');
    await w.pod('two', 'a');
    const third = await w.port.createPod(manifest('three', 'a'));
    await w.pod('four', 'b');
    const fifth = await w.port.createPod(manifest('five', 'b'));
    await w.pod('six', 'c');
    const seventh = await w.port.createPod(manifest('seven', 'c'));
    await w.pass(second);
    const why = async ({ ref }: { ref: typeof third.ref }) => (await w.look(ref))?.message;
    expect(await why(third)).toMatch(
      /^0\/3 nodes are available: 1 Insufficient cpu, 2 node\(s\) didn't match/,
    );
    expect(await why(fifth)).toContain('Insufficient memory');
    expect(await why(seventh)).toContain('Too many pods');
    await w.port.deletePod(first.ref, first.uid, 1);
    await w.until(async () => (await w.look(third.ref))?.phase === 'Running');
  });

  it('counts a GPU once', async () => {
    const w = await world();
    await w.node('a', { extended: { 'nvidia.com/gpu': 1 } });
    const gpu = (name: string) => {
      const good = manifest(name, 'a');
      const resources = { requests: { cpu: '1', 'nvidia.com/gpu': '1' }, limits: { 'nvidia.com/gpu': '1' } };
      const containers = (good.spec.containers as readonly { name: string }[]).map((one) =>
        one.name === 'main' ? { ...one, resources } : one,
      );
      return w.port.createPod({ ...good, spec: { ...good.spec, containers } });
    };
    const [one, two] = [await gpu('one'), await gpu('two')];
    await w.until(async () => (await w.look(one.ref))?.phase === 'Running');
    expect((await w.look(two.ref))?.message).toContain('Insufficient nvidia.com/gpu');
  });

  it('keeps what does not tolerate the taint off the node', async () => {
    const w = await world();
    await w.node('a');
    const { ref } = await w.port.createPod(manifest('one', 'a', {}, { tolerations: [] }));
    await w.pass(second);
    expect((await w.look(ref))?.message).toContain('untolerated taint {spillway.dev/burst: true}');
  });
});

describe('a tenant that is removed', () => {
  it('takes no new pod, and goes with its last one', async () => {
    const w = await world();
    await w.node('a');
    const { ref, uid } = await w.pod('one', 'a');
    await w.port.createSecret({ ...ref, name: 'spill-key-one' }, { key: Uint8Array.of(1) }, {});
    w.model.removeTenant('spillway-alice');
    expect(await w.port.tenant(2001)).toBeUndefined();
    await expect(w.port.createPod(manifest('two', 'a'))).rejects.toMatchObject({ fault: 'refused' });
    await w.until(() => w.running().length === 0);
    await w.until(async () => (await w.look(ref))?.containers.main?.state === 'terminated');
    expect(await w.port.secret({ ...ref, name: 'spill-key-one' })).toBeUndefined();
    await w.port.releasePod(ref, uid);
    await w.until(() => w.events.some((event) => event.kind === 'pod' && event.gone));
    await w.until(() => w.model.server.store.get('namespaces', undefined, 'spillway-alice') === undefined);
  });
});
