/** A cloud that never has what a job asks for, by the real engine on the models: the job stays, and is not tried for ever. */
import { describe, expect, it } from 'vitest';
import { instant } from '../../src/domain/ids.ts';
import { cluster, minute, second } from './chaos/centre.ts';
import { breaches } from './chaos/check.ts';
import { Run } from './chaos/run.ts';
import type { Scenario } from './chaos/scenario.ts';

const drain = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const filled = 240 * minute;

const scenario: Scenario = {
  ...{ seed: 3, onLost: 'requeue', mode: 'auto', lowered: undefined, ramp: undefined, idleMs: minute },
  ...{ budget: 1_000_000, fullMs: 0, people: [], world: [], faults: [], kills: [] },
  ...{ pauses: [], secondAtMs: undefined, slowness: 0, jobs: [] },
};

describe('a job that comes back', () => {
  it('is burst again twice as late each time, three times in all, and then waits for its turn here', async () => {
    const run = new Run(scenario, drain, true);
    const begun = run.time.now();
    run.cloud.limit({}, { atMost: 0 });
    run.startGateway();
    const submit = (user: string, ms: number, timeMs: number) =>
      run.slurm.submit(user, { partition: 'batch', cpusPerTask: 8, timeMs, work: { ms, exit: 0 } });
    submit('alice', filled, filled + minute);
    submit('bob', filled, filled + minute);
    const waits = submit('alice', minute, 30 * minute);
    await run.time.run(instant(begun + filled));
    const bursts = [...(await run.store.burstsOfJob(cluster, waits))].reverse();
    expect(bursts.map((b) => [b.state, b.cause?.kind])).toEqual(Array(3).fill(['returned', 'no_capacity']));
    const [once, twice, thrice] = bursts;
    const pause = (a: typeof once, b: typeof once) => (b?.createdAt ?? 0) - (a?.enteredAt ?? 0);
    // The back-off of this run is three minutes; looks are seconds apart.
    expect(pause(once, twice)).toBeGreaterThanOrEqual(3 * minute);
    expect(pause(once, twice)).toBeLessThan(3 * minute + 90 * second);
    expect(pause(twice, thrice)).toBeGreaterThanOrEqual(6 * minute);
    expect(pause(twice, thrice)).toBeLessThan(6 * minute + 90 * second);
    const [last] = await run.store.receipts(cluster, waits, 1);
    expect(last?.decision.because.find((r) => r.rule === 'back-off')).toMatchObject({ pass: false });
    await run.time.run(instant(begun + filled + 10 * minute));
    expect(run.slurm.truth().find((j) => j.ref === waits)).toMatchObject({ state: 'COMPLETED' });
    run.stop();
    expect(await breaches(run)).toEqual([]);
  });
});
