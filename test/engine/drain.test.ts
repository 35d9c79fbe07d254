/** A node group that a person drains, by the real engine on the models; and its instances' leases. */
import { describe, expect, it } from 'vitest';
import { instant } from '../../src/domain/ids.ts';
import { scriptOf } from '../../src/sim/models/keeper-work.ts';
import { cluster, minute } from './chaos/centre.ts';
import { breaches } from './chaos/check.ts';
import { Run } from './chaos/run.ts';
import type { Scenario } from './chaos/scenario.ts';

const drain = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const scenario: Scenario = {
  ...{ seed: 3, onLost: 'requeue', mode: 'auto', lowered: undefined, ramp: undefined, idleMs: 60 * minute },
  ...{ budget: 1_000_000, fullMs: 0, people: [], world: [], faults: [], kills: [] },
  ...{ pauses: [], secondAtMs: undefined, slowness: 0, jobs: [] },
};

describe('a drained node group', () => {
  it('launches nothing, lets what runs end, gives its instances up, and goes on once it is resumed', async () => {
    const run = new Run(scenario, drain, true);
    const at = (minutes: number) => run.time.run(instant(begun + minutes * minute));
    const begun = run.time.now();
    const submit = (user: string, partition: string, ms: number) =>
      run.slurm.submit(user, {
        partition,
        cpusPerTask: 8,
        timeMs: ms + 60 * minute,
        work: { ms, exit: 0 },
        script: scriptOf({ ms, exit: { code: 0 } }),
      });
    const state = (ref: string) => run.slurm.truth().find((j) => j.ref === ref)?.state;
    const bursts = async (ref: Parameters<typeof run.store.burstsOfJob>[1]) =>
      (await run.store.burstsOfJob(cluster, ref)).map((b) => b.state);
    const nodes = () => run.kubernetes.asPort(() => undefined).nodes();
    run.startGateway();
    const runs = submit('alice', 'cloud', 30 * minute);
    await at(10);
    expect(await bursts(runs)).toEqual(['running']);
    const [up] = await run.store.liveInstances(cluster);
    const group = up?.group ?? '';
    const leased = (await nodes())[0]?.leasedAt;
    expect(leased).toBeGreaterThanOrEqual(begun);

    await run.store.drainGroup(cluster, group, 'alice@gw', 'a driver');
    const waits = submit('bob', 'cloud', minute);
    await at(20);
    expect(await bursts(waits)).toEqual([]);
    expect(await bursts(runs)).toEqual(['running']);
    const [said] = await run.store.receipts(cluster, waits, 1);
    expect(said?.decision.because.find((r) => r.rule === 'drained')?.measured).toContain('alice@gw');
    // Renewed every five minutes while it is in use.
    const renewed = (await nodes())[0]?.leasedAt ?? 0;
    expect(renewed - (leased ?? 0)).toBeGreaterThanOrEqual(5 * minute);

    await at(50);
    expect(state(runs)).toBe('COMPLETED');
    expect(await run.store.liveInstances(cluster)).toEqual([]);
    expect((await run.store.instances(10)).map((i) => i.why)).toEqual([
      expect.stringContaining('drained by alice@gw'),
    ]);

    await run.store.openGroup(cluster, group, 'bob@gw', '');
    await at(80);
    expect(await bursts(waits)).toEqual(['settled']);
    expect(state(waits)).toBe('COMPLETED');
    // Its instance is idle for an hour.
    await at(160);
    run.stop();
    expect(await breaches(run)).toEqual([]);
  });
});
