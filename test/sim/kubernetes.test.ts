/** What only a model of Kubernetes can be asked: what really runs, and what a lost node makes of it. */
import { describe, expect, it } from 'vitest';
import { manifest, minute, second, type World, world } from './kubernetes.harness.ts';

const ready = async ({ port }: World, name: string) =>
  (await port.nodes()).find((node) => node.name === name)?.ready;

describe('a node whose kubelet is dead', () => {
  it('is Unknown after forty seconds, and its containers live on', async () => {
    const w = await world();
    await w.node('a');
    const { ref, uid } = await w.pod('one', 'a');
    w.model.silenceNode('a');
    await w.pass(39 * second);
    expect(await ready(w, 'a')).toBe('true');
    await w.pass(7 * second);
    expect(await ready(w, 'a')).toBe('unknown');
    expect(w.running()).toEqual(['spill-one/keeper', 'spill-one/main']);
    // A graceful deletion is only asked for, however long it takes.
    await w.port.deletePod(ref, uid, 5);
    await w.pass(60 * minute);
    expect(await w.look(ref)).toMatchObject({ phase: 'Running', containers: { main: { state: 'running' } } });
    expect(w.running()).toEqual(['spill-one/keeper', 'spill-one/main']);
  });

  it('keeps running what nobody has a record of any more', async () => {
    const w = await world();
    await w.node('a');
    const { ref, uid } = await w.pod('one', 'a');
    w.model.silenceNode('a');
    await w.port.deletePod(ref, uid, 0);
    await w.port.releasePod(ref, uid);
    expect(await w.look(ref)).toBeUndefined();
    expect(w.running()).toEqual(['spill-one/keeper', 'spill-one/main']);
    // Until its kubelet is back, and finds no record of it.
    w.model.reviveNode('a');
    await w.until(() => w.running().length === 0);
  });

  it('tells what happened meanwhile once it is back', async () => {
    const w = await world();
    await w.node('a');
    const { ref, uid } = await w.pod('one', 'a', { main: 'sleep 120' });
    w.model.silenceNode('a');
    await w.pass(3 * minute);
    expect((await w.look(ref))?.containers.main?.state).toBe('running');
    expect(w.running()).toEqual(['spill-one/keeper']);
    await w.port.deletePod(ref, uid, 5);
    w.model.reviveNode('a');
    await w.until(async () => (await ready(w, 'a')) === 'true');
    const over = await w.until(async () => {
      const pod = await w.look(ref);
      return pod?.phase === 'Failed' && pod;
    });
    expect(over.containers).toMatchObject({
      main: { state: 'terminated', exitCode: 0, reason: 'Completed' },
      keeper: { state: 'terminated', exitCode: 137, reason: 'Error' },
    });
    await w.port.releasePod(ref, uid);
    await w.until(async () => (await w.look(ref)) === undefined);
  });

  it('that is back in time was never away', async () => {
    const w = await world();
    await w.node('a');
    w.model.silenceNode('a');
    await w.pass(20 * second);
    w.model.reviveNode('a');
    await w.pass(5 * minute);
    const heard = w.events.flatMap((event) => (event.kind === 'node' ? [event.node.ready] : []));
    expect(heard).not.toContain('unknown');
  });

  it('has its streams cut, unless only its own words are lost', async () => {
    const w = await world();
    await w.node('a');
    await w.node('b');
    const [one, two] = [await w.pod('one', 'a'), await w.pod('two', 'b')];
    const [cut, lives] = [await w.port.dial(one.ref, 7000), await w.port.dial(two.ref, 7000)];
    const heard: string[] = [];
    lives.on('data', (chunk: Buffer) => heard.push(String(chunk)));
    w.model.silenceNode('a');
    w.model.silenceNode('b', { streams: 'live' });
    lives.write('still there');
    await w.until(() => cut.closed && heard.length > 0);
    expect(heard.join('')).toBe('still there');
    await expect(w.port.dial(one.ref, 7000)).rejects.toMatchObject({ fault: 'transient' });
    (await w.port.dial(two.ref, 7000)).destroy();
  });
});

describe('a machine that is off', () => {
  it('takes its containers with it, and the API server does not know', async () => {
    const w = await world();
    await w.node('a');
    const { ref } = await w.pod('one', 'a');
    const at = w.time.now();
    w.model.powerOff('a');
    expect(w.running()).toEqual([]);
    const [agent, main, keeper] = w.model.truth().runs;
    expect(agent).toMatchObject({ container: 'agent', exitCode: 0, reason: 'Completed' });
    for (const run of [main, keeper])
      expect(run).toMatchObject({ endedAt: at, reason: 'PowerOff', node: 'a' });
    await w.pass(2 * minute);
    expect(await ready(w, 'a')).toBe('unknown');
    expect(await w.look(ref)).toMatchObject({ phase: 'Running', containers: { main: { state: 'running' } } });
  });

  it('whose Node object is deleted has its pods collected within a minute, and a finalizer holds the record', async () => {
    const w = await world();
    await w.node('a');
    const held = await w.pod('held', 'a');
    const free = await w.pod('free', 'a');
    await w.port.releasePod(free.ref, free.uid);
    w.model.powerOff('a');
    await w.port.deleteNode('a');
    await w.pass(39 * second);
    expect(await w.look(free.ref)).toMatchObject({ deletingSince: undefined });
    await w.pass(22 * second);
    expect(await w.look(free.ref)).toBeUndefined();
    // Called failed, its containers as by their last word.
    expect(await w.look(held.ref)).toMatchObject({
      phase: 'Failed',
      containers: { main: { state: 'running' } },
    });
    await w.port.releasePod(held.ref, held.uid);
    expect(await w.look(held.ref)).toBeUndefined();
  });

  it('and comes again under its name is another one', async () => {
    const w = await world();
    await w.node('a');
    const { uid } = (await w.port.nodes())[0] ?? {};
    w.model.powerOff('a');
    await w.port.deleteNode('a');
    await w.node('a');
    expect((await w.port.nodes())[0]?.uid).not.toBe(uid);
    await w.pod('one', 'a');
    // Not collected for the first one's sake.
    await w.pass(2 * minute);
    expect(w.running()).toHaveLength(2);
  });

  it('is unreachable and takes no pod; one that does not tolerate it for ever is asked to end after five minutes', async () => {
    const w = await world();
    await w.node('a');
    const stays = await w.pod('stays', 'a');
    const goes = await w.pod(
      'goes',
      'a',
      {},
      { tolerations: [{ key: 'spillway.dev/burst', operator: 'Exists' }] },
    );
    w.model.silenceNode('a');
    await w.pass(50 * second);
    const { ref } = await w.port.createPod(manifest('late', 'a'));
    await w.pass(second);
    expect((await w.look(ref))?.message).toContain('node.kubernetes.io/unreachable');
    await w.pass(4 * minute);
    expect((await w.look(goes.ref))?.deletingSince).toBeUndefined();
    await w.pass(minute);
    expect((await w.look(goes.ref))?.deletingSince).toBeDefined();
    expect((await w.look(stays.ref))?.deletingSince).toBeUndefined();
    expect(w.running()).toHaveLength(4);
  });

  it('that is back in time evicts nobody', async () => {
    const w = await world();
    await w.node('a');
    const pod = await w.pod(
      'one',
      'a',
      {},
      { tolerations: [{ key: 'spillway.dev/burst', operator: 'Exists' }] },
    );
    w.model.silenceNode('a');
    await w.pass(3 * minute);
    w.model.reviveNode('a');
    await w.pass(10 * minute);
    expect(await w.look(pod.ref)).toMatchObject({ deletingSince: undefined, phase: 'Running' });
  });
});

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
