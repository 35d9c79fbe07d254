/** The Kubernetes model's seams: what plugs into it, what it promises to a simulator, and that it reads as the adapter reads. */
import { describe, expect, it } from 'vitest';
import {
  nodeView as adapterNode,
  podView as adapterPod,
  tenantView as adapterTenant,
} from '../../adapters/kubernetes/views.ts';
import type { Scheduler } from '../../src/ports.ts';
import { Chance } from '../../src/sim/chance.ts';
import { KubernetesModel } from '../../src/sim/models/kubernetes.ts';
import type { Ended, PodHandle, Runtime, Sandbox } from '../../src/sim/models/kubernetes-runtime.ts';
import { nodeView, podView, tenantView } from '../../src/sim/models/kubernetes-views.ts';
import { manifest, minute, second, type World, world } from './kubernetes.harness.ts';

/** Notes what its pods are told, and ends containers when the test says so. */
class Noting implements Runtime {
  readonly told: string[] = [];
  readonly pods: Sandbox[] = [];

  start(pod: Sandbox): PodHandle {
    this.pods.push(pod);
    this.told.push(`sandbox ${pod.node}`);
    return {
      started: (container) => {
        this.told.push(`started ${container}`);
        if (container === 'agent') pod.ended(container, { exitCode: 0 });
      },
      terminate: (container, grace) => void this.told.push(`terminate ${container} ${grace}`),
      killed: (container) => void this.told.push(`killed ${container}`),
      dial: () => undefined,
    };
  }

  end(container: string, how: Ended): void {
    this.pods.at(-1)?.ended(container, how);
  }
}

async function noting(): Promise<{ w: World; runtime: Noting }> {
  const w = await world();
  const runtime = new Noting();
  w.model.runtime = runtime;
  await w.node('a');
  return { w, runtime };
}

describe('a runtime', () => {
  it('hears of a pod once, of its containers one by one, and of a kill only after the grace', async () => {
    const { w, runtime } = await noting();
    const { ref, uid } = await w.port.createPod(manifest('one', 'a'));
    await w.until(() => w.running().length === 2);
    expect(runtime.told).toEqual(['sandbox a', 'started agent', 'started main', 'started keeper']);
    runtime.told.length = 0;
    await w.port.deletePod(ref, uid, 5);
    await w.until(() => runtime.told.length === 2);
    expect(runtime.told).toEqual(['terminate main 5', 'terminate keeper 5']);
    const at = w.time.now();
    runtime.end('main', { exitCode: 3 });
    await w.until(() => w.running().length === 0);
    expect(w.time.now() - at).toBeGreaterThan(4 * second);
    expect(runtime.told.slice(2)).toEqual(['killed keeper']);
    expect(runtime.pods).toHaveLength(1);
    const over = await w.until(async () => {
      const pod = await w.look(ref);
      return pod?.phase === 'Failed' && pod;
    });
    expect(over.containers).toMatchObject({ main: { exitCode: 3 }, keeper: { exitCode: 137 } });
  });

  it('ends a container by a code or a signal, once', async () => {
    const { w, runtime } = await noting();
    const { ref } = await w.port.createPod(manifest('one', 'a'));
    await w.until(() => w.running().length === 2);
    runtime.end('main', { signal: 15 });
    runtime.end('main', { exitCode: 0 });
    runtime.end('keeper', { exitCode: 0 });
    const over = await w.until(async () => {
      const pod = await w.look(ref);
      return pod?.phase === 'Failed' && pod;
    });
    // As the runtime of a node writes it: the signal is in the code only.
    expect(over.containers).toMatchObject({
      main: { exitCode: 143, signal: 0, reason: 'Error' },
      keeper: { exitCode: 0, reason: 'Completed' },
    });
  });

  it('sees the pod as its programs do', async () => {
    const { w, runtime } = await noting();
    const { ref, uid, burst } = await w.port.createPod(manifest('one', 'a'));
    await w.until(() => runtime.pods.length > 0);
    const [pod] = runtime.pods;
    expect(pod).toMatchObject({ ref, uid, burst, node: 'a' });
    expect(pod?.env('keeper', 'SPILL_PORT')).toBe('8470');
    expect(pod?.env('main', 'SPILL_PORT')).toBeUndefined();
    expect(pod?.spec.securityContext).toMatchObject({ runAsUser: 2001, supplementalGroups: [3001] });
    await w.until(async () => (await w.look(ref))?.podIp === pod?.ip);
  });

  it('may answer a kill with an end of its own, which changes nothing any more', async () => {
    const { w, runtime } = await noting();
    const plain = runtime.start.bind(runtime);
    runtime.start = (pod) => ({
      ...plain(pod),
      killed: (container) => pod.ended(container, { signal: 9 }),
    });
    const { ref } = await w.port.createPod(manifest('one', 'a'));
    await w.until(() => w.running().length === 2);
    const since = w.model.truth().running[0]?.startedAt;
    await w.pass(minute);
    w.model.oomKill(ref);
    const run = w.model.truth().runs.find(({ container }) => container === 'main');
    expect(run).toMatchObject({ startedAt: since, exitCode: 137, reason: 'OOMKilled' });
    const main = await w.until(async () => {
      const one = (await w.look(ref))?.containers.main;
      return one?.state === 'terminated' && one;
    });
    expect(main.reason).toBe('OOMKilled');
  });

  it('learns that its machine lost power, and of an OOM kill, as kills', async () => {
    const { w, runtime } = await noting();
    const { ref } = await w.port.createPod(manifest('one', 'a'));
    await w.until(() => w.running().length === 2);
    runtime.told.length = 0;
    w.model.oomKill(ref);
    w.model.powerOff('a');
    expect(runtime.told).toEqual(['killed main', 'killed keeper']);
  });
});

/** A day in the life of two nodes, with what may go wrong. */
async function day(seed: number): Promise<string> {
  const w = await world({}, seed);
  await w.node('a');
  await w.node('b');
  for (const [name, node] of [
    ['one', 'a'],
    ['two', 'b'],
    ['three', 'b'],
  ] as const)
    await w.port.createPod(manifest(name, node, { main: 'sleep 90' }));
  await w.pass(minute);
  w.model.silenceNode('a');
  w.model.switch('watch-lag', true);
  await w.pass(2 * minute);
  w.model.cutWatches();
  w.model.reviveNode('a');
  w.model.heal();
  await w.pass(5 * minute);
  return JSON.stringify({ events: w.events, truth: w.model.truth() });
}

describe('a simulator', () => {
  it('sees the same from the same seed, and something else from another', async () => {
    const first = await day(3);
    expect(await day(3)).toBe(first);
    expect(await day(4)).not.toBe(first);
  });

  it('is not kept busy while nothing can change', async () => {
    const w = await world();
    let asked = 0;
    const counting: Scheduler = {
      after: (ms, work) => {
        asked += 1;
        return w.time.after(ms, work);
      },
    };
    const model = new KubernetesModel(
      { image: { baked: true } },
      { clock: w.time, scheduler: counting, entropy: new Chance(1) },
    );
    model.addTenant({ namespace: 'spillway-alice', uid: 2001, gids: [2001, 3001], claims: ['home'] });
    const port = model.asPort();
    const watch = port.watch(() => {});
    model.joinNode({
      name: 'a',
      cpuMillis: 4_000,
      memoryBytes: 2 ** 33,
      taints: [{ key: 'spillway.dev/burst', value: 'true', effect: 'NoSchedule' }],
    });
    await w.pass(minute);
    await port.createPod(manifest('one', 'a', { main: 'forever' }));
    await port.createPod(manifest('two', 'nowhere'));
    model.silenceNode('a');
    await w.pass(10 * minute);
    asked = 0;
    await w.pass(60 * minute);
    expect(asked).toBe(0);
    // And is heard of all the same.
    expect(watch.sight().every(({ at }) => w.time.now() - at < 5 * minute)).toBe(true);
  });

  it('may cut, forget and heal at any moment: the watch ends up with what is there', async () => {
    for (let seed = 1; seed <= 20; seed += 1) {
      const w = await world({ history: 5, watchMs: [0, 300] }, seed);
      const chance = new Chance(seed);
      const watch = w.port.watch(() => {});
      await w.node('a', { cpuMillis: 100_000, memoryBytes: 2 ** 40 });
      for (let step = 0; step < 60; step += 1) {
        const pods = watch.pods() ?? [];
        const act = chance.whole(0, 6);
        const pod = pods.length > 0 ? chance.pick(pods) : undefined;
        if (act <= 1) await w.port.createPod(manifest(`s${step}`, chance.pick(['a', 'nowhere'])));
        else if (act === 2 && pod !== undefined)
          await w.port.deletePod(pod.ref, pod.uid, chance.whole(0, 3)).catch(() => undefined);
        else if (act === 3 && pod !== undefined) await w.port.releasePod(pod.ref, pod.uid);
        else if (act === 4) w.model.cutWatches();
        else if (act === 5) w.model.switch(chance.pick(['watch-broken', 'away', 'watch-lag']), true);
        else w.model.forgetHistory();
        await w.pass(chance.whole(0, 700));
        w.model.heal();
      }
      await w.pass(2 * minute);
      const there = [...w.model.server.store.all('pods')].map(podView);
      const byName = (a: { ref: { name: string } }, b: typeof a) => (a.ref.name < b.ref.name ? -1 : 1);
      expect([...(watch.pods() ?? [])].sort(byName)).toEqual(there.sort(byName));
      // Of each pod that is gone it was told so, last.
      const last = new Map(w.events.flatMap((e) => (e.kind === 'pod' ? [[e.pod.uid, e.gone] as const] : [])));
      for (const [uid, gone] of last) expect(gone).toBe(!there.some((pod) => pod.uid === uid));
    }
  });

  it('finds a new tenant’s pods within a minute', async () => {
    const w = await world();
    await w.pass(second);
    w.model.addTenant({ namespace: 'spillway-bob', uid: 2002, gids: [2002], claims: ['home'] });
    const good = manifest('one', 'nowhere');
    const security = {
      ...(good.spec.securityContext as object),
      runAsUser: 2002,
      runAsGroup: 2002,
      supplementalGroups: [],
    };
    await w.port.createPod({
      ...good,
      metadata: { ...good.metadata, namespace: 'spillway-bob' },
      spec: { ...good.spec, securityContext: security },
    });
    await w.pass(minute);
    expect(w.events.some((event) => event.kind === 'pod' && event.pod.ref.namespace === 'spillway-bob')).toBe(
      true,
    );
  });
});

describe('what the model shows', () => {
  it('is what the adapter reads in the same objects', async () => {
    const w = await world();
    await w.node('a', { providerId: 'aws:///eu-sim-1a/i-1', extended: { 'nvidia.com/gpu': 2 } });
    await w.node('b');
    const seen: [unknown, unknown][] = [];
    const sweep = (): void => {
      const { store } = w.model.server;
      const wire = (object: unknown): unknown => JSON.parse(JSON.stringify(object));
      for (const pod of store.all('pods')) seen.push([podView(pod), adapterPod(wire(pod))]);
      for (const node of store.all('nodes')) seen.push([nodeView(node), adapterNode(wire(node))]);
      for (const one of store.all('namespaces')) seen.push([tenantView(one), adapterTenant(wire(one))]);
    };
    w.model.setImage('registry.example.org/hpc/base:1', { pullMs: [4_000, 4_000] });
    const one = await w.port.createPod(manifest('one', 'a', { main: 'exit 3' }));
    await w.port.createPod(manifest('two', 'b'));
    await w.port.createPod(manifest('three', 'nowhere'));
    for (let step = 0; step < 60; step += 1) {
      sweep();
      await w.pass(500);
      if (step === 20) w.model.silenceNode('b');
      if (step === 30) await w.port.deletePod(one.ref, one.uid, 5);
    }
    await w.pass(minute);
    sweep();
    expect(seen.length).toBeGreaterThan(300);
    for (const [own, adapters] of seen) expect(own).toEqual(adapters);
  });

  it('has events for people, repeated ones counted', async () => {
    const w = await world();
    await w.node('a');
    w.model.setImage('registry.example.org/hpc/base:1', { pullMs: [100, 100], fault: 'no such tag' });
    await w.port.createPod(manifest('one', 'a'));
    await w.port.createPod(manifest('two', 'nowhere'));
    await w.pass(5 * minute);
    const events = [...w.model.server.store.all('events')];
    const reasons = new Set(events.map(({ reason }) => reason));
    for (const reason of ['Scheduled', 'Pulling', 'Failed', 'Started', 'FailedScheduling'])
      expect(reasons).toContain(reason);
    expect(events.find(({ reason }) => reason === 'Failed')?.count).toBeGreaterThan(3);
  });
});
