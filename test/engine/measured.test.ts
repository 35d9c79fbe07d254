/** Nodes that leave less to jobs than was planned: the real engine on the models. */
import { describe, expect, it } from 'vitest';
import { PortError } from '../../src/domain/fault.ts';
import { clusterName, instant } from '../../src/domain/ids.ts';
import type { Instance } from '../../src/domain/instance.ts';
import { GiB } from '../../src/domain/resources.ts';
import { ClusterEngine } from '../../src/engine/cluster.ts';
import { Nodes } from '../../src/engine/measured.ts';
import { scriptOf } from '../../src/sim/models/keeper-work.ts';
import { anInstance, newId } from '../contract/samples.ts';
import { cluster, group, minute } from './chaos/centre.ts';
import { breaches } from './chaos/check.ts';
import { Run } from './chaos/run.ts';
import type { Scenario } from './chaos/scenario.ts';

const calm: Scenario = {
  ...{ seed: 3, onLost: 'requeue', mode: 'auto', lowered: undefined, ramp: undefined, idleMs: minute },
  ...{ budget: 100_000_000, fullMs: 0, people: [], world: [], faults: [], kills: [] },
  ...{ pauses: [], secondAtMs: undefined, slowness: 0, jobs: [] },
};

/** By type, what its nodes can allocate in thousandths of a CPU. */
function scene(cpuMillis: Readonly<Record<string, number>>) {
  const run = new Run(calm, () => new Promise((resolve) => setImmediate(resolve)), true);
  Object.assign(run.world.options, {
    capacityOf: (type: string) => ({ cpuMillis: cpuMillis[type] ?? 0, memoryBytes: 15 * GiB }),
  });
  const begun = run.time.now();
  return {
    run,
    at: (minutes: number) => run.time.run(instant(begun + minutes * minute)),
    submit: (user: string, cpus: number) =>
      run.slurm.submit(user, {
        ...{ partition: 'cloud', cpusPerTask: cpus, timeMs: 60 * minute, work: { ms: minute, exit: 0 } },
        script: scriptOf({ ms: minute, exit: { code: 0 } }),
      }),
    state: (ref: string) => run.slurm.truth().find((j) => j.ref === ref)?.state,
    bursts: (ref: Parameters<Run['store']['burstsOfJob']>[1]) => run.store.burstsOfJob(cluster, ref),
    types: async () => [...(await run.store.instances(99))].reverse().map(({ type }) => type),
    ends: async () => {
      run.stop();
      expect(await breaches(run)).toEqual([]);
    },
  };
}

describe('a node that leaves less than was planned', () => {
  it('keeps the oldest of what was planned on it, and the rest finds a place in the same attempt', async () => {
    const s = scene({ 'm.small': 5_000, 'm.large': 15_900 });
    const [first, second] = [s.submit('alice', 3), s.submit('bob', 3)];
    s.run.startGateway();
    await s.at(15);
    expect([s.state(first), s.state(second)]).toEqual(['COMPLETED', 'COMPLETED']);
    const bursts = [...(await s.bursts(first)), ...(await s.bursts(second))];
    expect(bursts.map((b) => [b.state, b.futile])).toEqual([
      ['settled', undefined],
      ['settled', undefined],
    ]);
    // They were planned on one.
    expect((await s.types()).length).toBe(2);
    await s.ends();
  });

  it('that a job fills by the plan is passed over for a larger one, now and for the next job', async () => {
    const s = scene({ 'm.small': 7_000, 'm.large': 15_900 });
    s.run.startGateway();
    const first = s.submit('alice', 7);
    await s.at(15);
    expect(s.state(first)).toBe('COMPLETED');
    expect((await s.bursts(first)).map((b) => [b.state, b.futile])).toEqual([['settled', undefined]]);
    expect(await s.types()).toEqual(['m.small', 'm.large']);
    const next = s.submit('bob', 7);
    await s.at(30);
    expect(s.state(next)).toBe('COMPLETED');
    expect((await s.types()).slice(2)).toEqual(['m.large']);
    await s.ends();
  });

  it('where no type holds the job after all, it goes home with that reason and nobody need ask for it again', async () => {
    const s = scene({ 'm.small': 7_000, 'm.large': 7_000 });
    s.run.startGateway();
    const ref = s.submit('alice', 7);
    await s.at(15);
    const bursts = await s.bursts(ref);
    expect(bursts.map((b) => [b.state, b.futile])).toEqual([['returned', undefined]]);
    expect(bursts[0]?.cause).toMatchObject({
      kind: 'no_capacity',
      text: expect.stringContaining('no type of node group cpu holds 7010 m vCPU'),
    });
    expect(await s.types()).toEqual(['m.small', 'm.large']);
    await s.at(60);
    expect((await s.bursts(ref)).length).toBe(1);
    await s.ends();
  });
});

describe('what nodes were found to have', () => {
  const found = (over: Partial<Instance>): Instance =>
    anInstance({
      ...{ type: 'm.small', readyAt: instant(1_000), group: 'cpu', cluster: clusterName('hpc1') },
      ...{ measured: { cpuMillis: 7_000, memoryBytes: 15 * GiB, pods: 20 }, ...over },
    });
  const offered = [{ group: { name: 'cpu' }, types: [] }] as unknown as Parameters<Nodes['known']>[0];
  const small = (nodes: Nodes, at = instant(10_000)) =>
    nodes.known(offered, at)[0]?.group.measured?.['m.small'];
  const daemonSets = async () => [];

  it('is read from the store, the newest of each type, of this cluster alone', async () => {
    const newer = { cpuMillis: 6_900, memoryBytes: 15 * GiB, pods: 20 };
    const rows = [
      found({ readyAt: instant(2_000), measured: newer }),
      found({}),
      found({ readyAt: instant(9_000), cluster: clusterName('hpc2'), measured: { ...newer, pods: 1 } }),
      found({ readyAt: undefined, measured: undefined }),
    ];
    const store = { instances: async () => rows };
    const nodes = new Nodes(clusterName('hpc1'), { store, kubernetes: { daemonSets } });
    expect(small(nodes)).toBeUndefined();
    await nodes.recall();
    expect(small(nodes)).toEqual(newer);
    const week = 7 * 24 * 60 * minute;
    expect(small(nodes, instant(2_000 + week - 1))).toEqual(newer);
    // Whatever took so much may be mended by now.
    expect(small(nodes, instant(2_000 + week))).toBeUndefined();
    // Nothing new is nothing to plan anew for.
    expect(nodes.note(found({ readyAt: instant(3_000), measured: newer }))).toBe(false);
    expect(nodes.note(found({ readyAt: instant(4_000) }))).toBe(true);
  });

  it('knows no DaemonSets where it may not look, and asks no more than once a minute', async () => {
    let asked = 0;
    const refusing = async () => {
      asked += 1;
      throw new PortError('refused', 'kubernetes.daemonSets', 'no right');
    };
    const nodes = new Nodes(clusterName('hpc1'), {
      store: { instances: async () => [] },
      kubernetes: { daemonSets: refusing },
    });
    for (const at of [0, 59_000, 60_000]) expect(await nodes.daemons(instant(at))).toEqual([]);
    expect(asked).toBe(2);
  });

  it('is not told of a machine while nobody answers what runs on every node: none is not taken for an answer', async () => {
    let away = true;
    const daemonSets = async () => {
      if (away) throw new PortError('transient', 'kubernetes.daemonSets', 'no answer');
      return [];
    };
    const store = { instances: async () => [] };
    const nodes = new Nodes(clusterName('hpc1'), { store, kubernetes: { daemonSets } });
    await expect(nodes.daemons(instant(0))).rejects.toMatchObject({ fault: 'transient' });
    away = false;
    expect(await nodes.daemons(instant(1))).toEqual([]);
  });

  it('is planned with no more once it is a week old, also where nothing else changes', async () => {
    let at = instant(10_000);
    const types = async (names: readonly string[]) =>
      names.map((name) => ({ name, vcpus: 8, memoryBytes: 16 * GiB, gpus: 0 }));
    const ports = {
      clock: { now: () => at },
      store: { instances: async () => [found({ cluster })] },
      log: () => undefined,
    };
    const settings = { setup: { name: cluster }, groups: [group], cloud: { types } };
    const engine = new ClusterEngine(settings as never, ports as never, {} as never, newId());
    await engine.offer();
    expect(engine.offered[0]?.group.measured).toHaveProperty(['m.small']);
    at = instant(at + 7 * 24 * 60 * minute);
    await engine.offer();
    expect(engine.offered[0]?.group.measured).toBeUndefined();
  });
});
