/** Nodes that somebody else scales in the place of a cloud, by the real engine on the models. */
import { describe, expect, it, vi } from 'vitest';
import type { Burst } from '../../src/domain/burst.ts';
import { instant, type JobRef } from '../../src/domain/ids.ts';
import { instanceLabel, placesNamespace } from '../../src/domain/kube.ts';
import { Chance } from '../../src/sim/chance.ts';
import { scriptOf } from '../../src/sim/models/keeper-work.ts';
import { cluster, minute, second } from './chaos/centre.ts';
import { breaches } from './chaos/check.ts';
import { Run } from './chaos/run.ts';
import { type JobPlan, type Scenario, scenarioOf } from './chaos/scenario.ts';

// Two dozen histories are played, beside whatever else the machine does.
vi.setConfig({ testTimeout: 240_000 });

const drain = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const job: JobPlan = {
  ...{ atMs: 0, user: 'alice', partition: 'cloud', runMs: 200 * second, exit: { code: 0 } },
  ...{ onTerm: 'die', cpus: 3, timeMin: 8, requeue: true, array: undefined },
};
const calm: Scenario = {
  ...{ seed: 2, onLost: 'requeue', mode: 'auto', lowered: undefined, ramp: undefined, idleMs: minute },
  ...{ budget: 1_000_000, fullMs: 0, people: [], world: [], faults: [], kills: [], external: true },
  ...{ pauses: [], secondAtMs: undefined, slowness: 0, jobs: [job] },
};

function started(over: Partial<Scenario> = {}) {
  const run = new Run({ ...calm, jobs: [], ...over }, drain, true);
  const { external } = run;
  if (external === undefined) throw new Error('nobody scales this cluster');
  const pass = (ms: number): Promise<void> =>
    run.time.run(instant(run.time.now() + ms)).then(() => undefined);
  const until = async (what: string, holds: () => boolean | Promise<boolean>, mostMs = 30 * minute) => {
    for (let ms = 0; !(await holds()); ms += second) {
      if (ms > mostMs)
        throw new Error(`not within ${mostMs / minute} minutes: ${what}\n${run.history.join('\n')}`);
      await pass(second);
    }
  };
  const submit = (cpus = 3, runMs = 5 * minute): JobRef =>
    run.slurm.submit('alice', {
      ...{ partition: 'cloud', cpusPerTask: cpus, timeMs: 60 * minute, requeue: true },
      ...{ work: { ms: runMs, exit: 0 }, script: scriptOf({ ms: runMs, exit: { code: 0 } }) },
    });
  const bursts = (ref: JobRef): Promise<readonly Burst[]> => run.store.burstsOfJob(cluster, ref);
  const places = () =>
    [...run.kubernetes.server.store.all('pods')].filter((p) => p.metadata.namespace === placesNamespace);
  run.startGateway();
  return { run, external, pass, until, submit, bursts, places };
}

describe('nodes that somebody else scales', () => {
  it('under every trouble keep what is promised: no job twice, none lost, no place left held', async () => {
    let ran = 0;
    for (let seed = 1; seed <= 25; seed++) {
      const run = new Run(
        { ...scenarioOf(seed, new Chance(seed)), spot: false, external: true },
        drain,
        true,
      );
      await run.play();
      run.stop();
      ran += run.world.ran.length;
      expect(await breaches(run), `seed ${seed}`).toEqual([]);
    }
    expect(ran).toBeGreaterThan(25);
  });

  it('run a job on what was brought for it, at the price of what came, and the node goes when nothing is there', async () => {
    const { run, external, pass, until, submit, bursts, places } = started();
    // Too much for the cheaper type.
    const ref = submit(8);
    await until('the job to be over', async () => (await bursts(ref))[0]?.state === 'settled');
    expect(run.slurm.truth()[0]).toMatchObject({ state: 'COMPLETED', restarts: 0 });
    const [instance] = await run.store.instances(10);
    expect(instance).toMatchObject({ node: 'ext-1', type: 'm.large', price: { microUsd: 400_000 } });
    expect((await bursts(ref))[0]?.machine).toBe('m.large');
    await until('the node to be taken away', () => external.scaler.nodes.length === 0);
    // A node that goes after it was given up is nobody's news.
    await pass(10 * minute);
    run.stop();
    expect((await run.store.instances(10)).map((i) => i.state)).toEqual(['gone']);
    expect(external.left()).toEqual([]);
    // What was there stays in sight for an hour, and holds nothing.
    expect(places().every(({ metadata }) => metadata.deletionTimestamp !== undefined)).toBe(true);
    expect(await breaches(run)).toEqual([]);
  });

  it('a job that fills its node takes the place by preemption: nobody else has it in between', async () => {
    const { run, until, submit, bursts, places } = started();
    const ref = submit(7);
    await until('the place', () => places().some(({ spec }) => spec.nodeName !== undefined));
    const [place] = places();
    // As urgent as the place itself, and not before the job.
    run.kubernetes.server.create('admin', 'pods', 'default', {
      ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'lurks' } },
      spec: {
        priorityClassName: 'spillway-place',
        tolerations: [{ operator: 'Exists' }],
        containers: [{ name: 'place', image: 'pause', resources: { requests: { cpu: '4', memory: '1Gi' } } }],
      },
    });
    await until('the script to run', () => run.world.ran.length > 0);
    expect(run.world.ran[0]?.node).toBe(place?.spec.nodeName);
    const taken = places().find(({ metadata }) => metadata.uid === place?.metadata.uid);
    expect(taken?.status.conditions).toContainEqual(
      expect.objectContaining({ type: 'DisruptionTarget', reason: 'PreemptionByScheduler' }),
    );
    const lurks = run.kubernetes.server.store.get('pods', 'default', 'lurks');
    expect(lurks?.spec.nodeName).not.toBe(place?.spec.nodeName);
    await until('the job to be over', async () => (await bursts(ref))[0]?.state === 'settled');
    run.stop();
  });

  it('many jobs share nodes as they are planned, and each node is one instance’s', async () => {
    const { run, external, until, submit, bursts, places } = started();
    const refs = [3, 3, 7, 2, 5, 1].map((cpus) => submit(cpus));
    const bound = new Set<string>();
    await until('all to be over', async () => {
      const now = places().flatMap(({ spec, metadata }) =>
        spec.nodeName === undefined || metadata.deletionTimestamp !== undefined ? [] : [spec.nodeName],
      );
      expect(new Set(now).size).toBe(now.length);
      for (const name of now) bound.add(name);
      return (await Promise.all(refs.map(bursts))).every(([b]) => b?.state === 'settled');
    });
    expect(run.slurm.truth().map(({ state }) => state)).toEqual(refs.map(() => 'COMPLETED'));
    // The group has at most three at a time, and none was brought for nothing.
    expect(external.scaler.made).toBe(bound.size);
    expect(external.scaler.made).toBeLessThan(refs.length);
    await until('the nodes to be taken away', () => external.scaler.nodes.length === 0);
    run.stop();
    expect(await breaches(run)).toEqual([]);
  });

  it('nobody brings a node: the job goes home as it was, with kube-scheduler’s words, and nothing was paid', async () => {
    const { run, external, until, submit, bursts } = started();
    external.scaler.brings = false;
    const ref = submit();
    await until('the give-back', async () => (await bursts(ref))[0]?.state === 'returned');
    const [burst] = await bursts(ref);
    expect(burst?.cause).toMatchObject({ kind: 'no_capacity' });
    expect(burst?.cause?.text).toContain('nobody brought a node for it');
    expect(burst?.cause?.text).toContain('no nodes available to schedule pods');
    expect(run.slurm.truth()[0]).toMatchObject({ state: 'PENDING', partition: 'cloud' });
    await until('the place to be given up', () => external.left().length === 0);
    const [instance] = await run.store.instances(10);
    expect(instance?.launchedAt).toBeUndefined();
    // What would have come now comes for nobody.
    external.scaler.brings = true;
    run.stop();
    expect(external.scaler.made).toBe(0);
  });

  it('a pool without the taint is told as what it is, and its node is left alone', async () => {
    const { run, external, until, submit, bursts } = started();
    const ref = submit();
    const { server } = run.kubernetes;
    await until('the node', () => server.store.get('nodes', undefined, 'ext-1') !== undefined);
    server.patch('admin', { kind: 'nodes', namespace: undefined, name: 'ext-1' }, 'merge', {
      spec: { taints: [] },
    });
    await until('the give-back', async () => (await bursts(ref))[0]?.state === 'returned');
    expect((await bursts(ref))[0]?.cause?.text).toContain('node ext-1 may not be taken');
    expect((await bursts(ref))[0]?.cause?.text).toContain('no taint spillway.dev/burst');
    await until('the place to be given up', () => external.left().length === 0);
    run.stop();
    expect(external.harmed()).toEqual([]);
  });

  it('a node that is taken away under a job ends its run, and the job runs again on another', async () => {
    const { run, external, until, submit, bursts } = started();
    const ref = submit();
    await until('the script to run', () => run.world.ran.length > 0);
    const node = run.world.ran[0]?.node ?? '';
    external.scaler.take(node);
    await until('the next run', () => run.world.ran.length > 1);
    expect(run.world.ran[1]?.node).not.toBe(node);
    expect(run.world.ran[0]?.endedAt).toBeLessThan(run.world.ran[1]?.startedAt ?? 0);
    await until('the job to be over', async () => (await bursts(ref))[0]?.state === 'settled');
    expect(run.slurm.truth()[0]).toMatchObject({ state: 'COMPLETED', restarts: 1 });
    await until('the nodes to be taken away', () => external.scaler.nodes.length === 0);
    run.stop();
    expect(await breaches(run)).toEqual([]);
  });

  it('a node that falls silent holds its job until its machine is taken away: only then it runs again', async () => {
    const { run, external, pass, until, submit, bursts } = started();
    const ref = submit();
    await until('the script to run', () => run.world.ran.length > 0);
    const node = run.world.ran[0]?.node ?? '';
    external.silence(node);
    await until('the fence', async () => (await bursts(ref))[0]?.state === 'fencing');
    const told = async () =>
      (await bursts(ref))[0]?.trouble?.text.includes('taken away by whoever scales it');
    await until('a person to be told what it waits for', async () => (await told()) === true);
    expect(run.world.ran).toHaveLength(1);
    await until('the next run', () => run.world.ran.length > 1);
    expect(external.scaler.nodes).not.toContain(node);
    await pass(30 * minute);
    run.stop();
    expect(await breaches(run)).toEqual([]);
  });

  it('a Node object that somebody deleted while its kubelet lives lets nothing begin before that has ended its pods', async () => {
    const { run, until, submit, bursts } = started();
    const ref = submit();
    await until('the script to run', () => run.world.ran.length > 0);
    const { node } = run.world.ran[0] ?? { node: '' };
    run.kubernetes.server.remove('admin', { kind: 'nodes', namespace: undefined, name: node });
    await until('the next run', () => run.world.ran.length > 1);
    expect(run.world.ran[0]?.endedAt).toBeLessThan(run.world.ran[1]?.startedAt ?? 0);
    await until('the job to be over', async () => (await bursts(ref))[0]?.state === 'settled');
    run.stop();
  });

  it.each([
    ['beside the place', 3],
    ['in the place of it', 7],
  ])(
    'a kubelet that was started again after somebody deleted its Node object runs its job on, %s, and no other run begins',
    async (_, cpus) => {
      const { run, external, pass, until, submit, bursts } = started();
      const ref = submit(cpus, 40 * minute);
      await until('the script to run', () => run.world.ran.length > 0);
      const { node } = run.world.ran[0] ?? { node: '' };
      run.kubernetes.silenceNode(node, { streams: 'live' });
      run.kubernetes.server.remove('admin', { kind: 'nodes', namespace: undefined, name: node });
      run.kubernetes.reviveNode(node);
      // Longer than a node may be lost.
      await pass(30 * minute);
      expect(run.world.ran.map(({ endedAt }) => endedAt)).toEqual([undefined]);
      // It is one instance still, and no other place comes beside it.
      const [instance] = await run.store.instances(10);
      expect(instance).toMatchObject({ state: 'ready', node, trouble: undefined });
      const labels = run.kubernetes.server.store.get('nodes', undefined, node)?.metadata.labels;
      expect(labels?.[instanceLabel]).toBe(instance?.cloudId);
      await until('the job to be over', async () => (await bursts(ref))[0]?.state === 'settled');
      expect(run.slurm.truth()[0]).toMatchObject({ state: 'COMPLETED', restarts: 0 });
      await until('the nodes to be taken away', () => external.scaler.nodes.length === 0);
      run.stop();
      expect(await breaches(run)).toEqual([]);
    },
  );

  it('a gateway that is dead for good leaves a place for as long as its deadline, and then no node', async () => {
    const { run, external, pass, until, submit, places } = started();
    submit();
    await until('the place', () => places().some(({ spec }) => spec.nodeName !== undefined));
    run.stop();
    await pass(25 * minute);
    expect(external.scaler.nodes).toHaveLength(1);
    await pass(15 * minute);
    expect(external.scaler.nodes).toEqual([]);
    expect(places().map(({ status }) => status.reason)).toEqual(['DeadlineExceeded']);
  });

  it('a place that no record explains is given up by the gateway that finds it', async () => {
    const { run, external, until, submit, places } = started();
    const before = run.store.snapshot();
    const ref = submit();
    await until('the place', () => places().length > 0);
    run.stop();
    run.store.restore(before);
    run.slurm.cancel('alice', ref);
    run.startGateway();
    await until('it to be given up', () => places().length > 0 && external.left().length === 0);
    run.stop();
  });
});
