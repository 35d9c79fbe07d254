/** The overhead budget, by the real engine on the models: no machine comes that it does not hold, and jobs and overhead together are what machines cost. */
import { describe, expect, it } from 'vitest';
import { instant } from '../../src/domain/ids.ts';
import { overheadAccount } from '../../src/domain/overhead.ts';
import { scriptOf } from '../../src/sim/models/keeper-work.ts';
import { cluster, minute } from './chaos/centre.ts';
import { breaches } from './chaos/check.ts';
import { Run } from './chaos/run.ts';
import type { Scenario } from './chaos/scenario.ts';

const drain = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const scenario: Scenario = {
  ...{ seed: 3, onLost: 'requeue', mode: 'auto', lowered: undefined, ramp: undefined, idleMs: 2 * minute },
  ...{ budget: 5_000_000, fullMs: 0, people: [], world: [], faults: [], kills: [] },
  ...{ pauses: [], secondAtMs: undefined, slowness: 0, jobs: [] },
};

async function morning(overhead: number) {
  const run = new Run({ ...scenario, overhead }, drain, true);
  const begun = run.time.now();
  run.startGateway();
  const submit = (user: string, cpusPerTask: number, ms: number) =>
    run.slurm.submit(user, {
      ...{ partition: 'cloud', cpusPerTask, timeMs: ms + 20 * minute, work: { ms, exit: 0 } },
      script: scriptOf({ ms, exit: { code: 0 } }),
    });
  const jobs = [submit('alice', 2, 20 * minute), submit('bob', 3, 45 * minute)];
  await run.time.run(instant(begun + 30 * minute));
  const held = await run.store.money(cluster, { account: overheadAccount, since: instant(0) });
  await run.time.run(instant(begun + 120 * minute));
  run.stop();
  const bursts = (await Promise.all(jobs.map((j) => run.store.burstsOfJob(cluster, j)))).flat();
  return { run, jobs, bursts, held };
}

describe('the overhead budget', () => {
  it('holds while machines live; what it spent and what the jobs did is what the machines cost', async () => {
    const { run, jobs, bursts, held } = await morning(5_000_000);
    expect(bursts.map((b) => b.state)).toEqual(jobs.map(() => 'settled'));
    expect(held.held).toBeGreaterThan(0);
    const of = (account: string | undefined) => run.store.money(cluster, { account, since: instant(0) });
    const all = await of(undefined);
    expect(all.held).toBe(0);
    const machines = (await run.store.instances(10)).map(({ launchedAt, releasedAt, price, state }) => {
      expect(state).toBe('gone');
      const ms = Math.max(minute, (releasedAt ?? 0) - (launchedAt ?? 0));
      return ((price?.microUsd ?? 0) * ms) / (60 * minute);
    });
    const cost = machines.reduce((sum, m) => sum + m, 0);
    expect(cost).toBeGreaterThan(100_000);
    // Each is rounded up to the second, and each job's share to the micro-dollar.
    expect(Math.abs(all.spent - cost)).toBeLessThan(300 * machines.length);
    expect((await of(overheadAccount)).spent).toBeGreaterThan(0);
    expect(await breaches(run)).toEqual([]);
  });

  it('that is too small launches nothing: jobs go back for want of money, not of capacity', async () => {
    const { run, bursts, held } = await morning(20_000);
    expect(bursts.length).toBeGreaterThan(0);
    for (const b of bursts) expect(b).toMatchObject({ state: 'returned', cause: { kind: 'no_budget' } });
    expect(bursts[0]?.cause?.text).toMatch(/the overhead budget does not hold the 0\.\d\d USD/);
    expect(held).toEqual({ held: 0, spent: 0 });
    expect(run.cloud.truth()).toEqual([]);
    expect(await breaches(run)).toEqual([]);
  });
});
