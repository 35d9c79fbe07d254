/** Fixed nodes in the place of a cloud, by the real engine on the models. */
import { describe, expect, it, vi } from 'vitest';
import type { Burst } from '../../src/domain/burst.ts';
import { instant } from '../../src/domain/ids.ts';
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
  ...{ budget: 1_000_000, fullMs: 0, people: [], world: [], faults: [], kills: [], fixed: 2 },
  ...{ pauses: [], secondAtMs: undefined, slowness: 0, jobs: [job] },
};

/** A gateway, one job, and its script at work on a node. */
async function working(over: Partial<Scenario> = {}) {
  const run = new Run({ ...calm, ...over }, drain, true);
  const pass = (ms: number): Promise<void> =>
    run.time.run(instant(run.time.now() + ms)).then(() => undefined);
  run.startGateway();
  const ref = run.slurm.submit('alice', {
    ...{ partition: 'cloud', cpusPerTask: 3, timeMs: 240 * minute, requeue: true },
    ...{
      work: { ms: 25 * minute, exit: 0 },
      script: scriptOf({
        ms: 25 * minute,
        exit: { code: 0 },
      }),
    },
  });
  while (run.world.ran.length === 0) await pass(second);
  const node = run.world.ran[0]?.node ?? '';
  const bursts = (): Promise<readonly Burst[]> => run.store.burstsOfJob(cluster, ref);
  /** Of those that began. */
  const states = async () =>
    (await bursts()).flatMap((b) => (b.startedAt === undefined ? [] : [b.state])).sort();
  return { run, ref, node, pass, bursts, states, fixed: run.fixed };
}

describe('fixed nodes', () => {
  it('under every trouble keep what is promised: no job twice, none lost, every node given back, none harmed', async () => {
    let ran = 0;
    for (let seed = 1; seed <= 25; seed++) {
      const run = new Run({ ...scenarioOf(seed, new Chance(seed)), spot: false, fixed: 4 }, drain, true);
      await run.play();
      run.stop();
      ran += run.world.ran.length;
      expect(await breaches(run), `seed ${seed}`).toEqual([]);
    }
    expect(ran).toBeGreaterThan(25);
  });

  it('run a job, cost what an hour of them counts as, and are given back once they are idle', async () => {
    const run = new Run(calm, drain, true);
    await run.play();
    run.stop();
    expect(await breaches(run)).toEqual([]);
    expect(run.slurm.truth()[0]).toMatchObject({ state: 'COMPLETED', restarts: 0 });
    expect(run.cloud.truth()).toEqual([]);
    const [instance] = await run.store.instances(10);
    expect(instance).toMatchObject({ state: 'gone', node: 'f1', price: { microUsd: 200_000 } });
    expect(instance?.why).toMatch(/^idle for/);
  });

  it('a node that is lost holds its job where it is until its kubelet is back, and only then it runs again', async () => {
    const { run, fixed, node, pass, states, bursts } = await working();
    fixed?.silence(node);
    await pass(30 * minute);
    // Far beyond lostAfter: the containers live on, so nothing may begin elsewhere.
    expect(await states()).toEqual(['fencing']);
    expect(run.world.ran).toHaveLength(1);
    expect((await bursts())[0]?.trouble?.text).toContain(
      `kubectl taint nodes ${node} node.kubernetes.io/out-of-service=nodeshutdown:NoExecute`,
    );
    fixed?.revive();
    await pass(60 * minute);
    run.stop();
    expect(run.world.ran).toHaveLength(2);
    expect(run.world.ran[0]?.endedAt).toBeLessThan(run.world.ran[1]?.startedAt ?? 0);
    expect(await states()).toEqual(['requeued', 'settled']);
    expect(await breaches(run)).toEqual([]);
  });

  it('a node that is off for good ends nothing before a person says so', async () => {
    const { run, fixed, node, pass, states } = await working();
    fixed?.powerOff(node);
    await pass(60 * minute);
    expect(await states()).toEqual(['fencing']);
    fixed?.saysOff(node);
    await pass(60 * minute);
    run.stop();
    expect(await states()).toEqual(['requeued', 'settled']);
    expect(run.world.ran.map((p) => p.node)).toEqual([node, node === 'f1' ? 'f2' : 'f1']);
    expect(await breaches(run)).toEqual([]);
  });

  it('a Node object that somebody deleted is no such word: its job waits', async () => {
    const { run, node, pass, states } = await working();
    run.fixed?.silence(node);
    run.kubernetes.server.remove('admin', { kind: 'nodes', namespace: undefined, name: node });
    await pass(60 * minute);
    run.stop();
    expect(await states()).toEqual(['fencing']);
    expect(run.world.ran).toHaveLength(1);
  });

  it('a job that finds every node full with others’ pods goes home as it was, and says why', async () => {
    const run = new Run({ ...calm, jobs: [] }, drain, true);
    const { server } = run.kubernetes;
    await run.time.run(instant(run.time.now() + minute));
    for (const name of run.fixed?.names ?? [])
      server.create('admin', 'pods', 'default', {
        ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name: `theirs-${name}` } },
        spec: {
          containers: [
            {
              ...{ name: 'main', image: 'user', command: ['sleep', '86400'] },
              resources: { requests: { cpu: '14', memory: '1Gi' } },
            },
          ],
        },
      });
    await run.time.run(instant(run.time.now() + minute));
    run.startGateway();
    const ref = run.slurm.submit('alice', { partition: 'cloud', cpusPerTask: 3, timeMs: 10 * minute });
    // It waits for ten minutes, in which others may end.
    await run.time.run(instant(run.time.now() + 12 * minute));
    run.stop();
    const [burst] = await run.store.burstsOfJob(cluster, ref);
    expect(burst).toMatchObject({ state: 'returned', cause: { kind: 'no_capacity' } });
    expect(burst?.cause?.text).toContain("2 full with others' pods");
    expect(run.slurm.truth().find((j) => j.ref === ref)).toMatchObject({ state: 'PENDING' });
  });
});
