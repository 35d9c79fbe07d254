/** What the chaos runs stand on: a seed is one history, and a failing one becomes smaller without becoming another. */
import { describe, expect, it } from 'vitest';
import { Chance } from '../../src/sim/chance.ts';
import { cluster } from './chaos/centre.ts';
import { breaches } from './chaos/check.ts';
import { plants } from './chaos/plants.ts';
import { Run } from './chaos/run.ts';
import { type Scenario, scenarioOf } from './chaos/scenario.ts';
import { smaller } from './chaos/shrink.ts';

const drain = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function played(scenario: Scenario): Promise<Run> {
  const run = new Run(scenario, drain, true);
  await run.play();
  run.stop();
  return run;
}

describe('a seed', () => {
  it.each([3, 20, 28])('%i is the same history each time', async (seed) => {
    const scenario = scenarioOf(seed, new Chance(seed));
    const [a, b] = [await played(scenario), await played(scenario)];
    expect(a.history.length).toBeGreaterThan(20);
    expect(b.history).toEqual(a.history);
  });

  it('does what it says: jobs run in pods, gateways die and start again', async () => {
    const seeds = Array.from({ length: 40 }, (_, i) => scenarioOf(i + 1, new Chance(i + 1)));
    let ran = 0;
    let starts = 0;
    for (const scenario of seeds) {
      const run = await played(scenario);
      ran += run.world.ran.length;
      starts += run.history.filter((l) => / --- g\d+ starts/.test(l)).length;
      expect(await breaches(run)).toEqual([]);
    }
    expect(ran).toBeGreaterThan(60);
    expect(starts).toBeGreaterThan(60);
  });
});

describe('stopped while jobs are on their way', () => {
  it('nothing is claimed from then on, all come to rest, and after it is resumed jobs burst again', async () => {
    let [withdrawn, given, again] = [0, 0, 0];
    for (let seed = 1; seed <= 30; seed++) {
      const run = new Run(scenarioOf(seed, new Chance(seed)), drain, true);
      const [from, until] = [(1 + (seed % 5)) * 60_000, 600_000];
      const turn = (ms: number, what: 'stop' | 'resume') =>
        run.time.after(ms, () => {
          run.note(`--- ${what}`);
          void run.store[what](cluster, 'alice', 'fire drill');
        });
      turn(from, 'stop');
      turn(until, 'resume');
      await run.play();
      run.stop();
      expect(await breaches(run)).toEqual([]);
      const at = (mark: string) => run.history.findIndex((l) => l.endsWith(mark));
      const older = run.history.some((l) => l.includes('the store is as it was'));
      const meanwhile = run.history.slice(
        at('--- stop') + 1,
        at('--- resume') < 0 ? undefined : at('--- resume'),
      );
      // A store that is set back behind the stop knows nothing of it.
      if (!older && at('--- stop') >= 0)
        for (const b of await run.store.bursts({ limit: 1_000 })) {
          const claimed = meanwhile.some(
            (l) => l.includes(`burst=${b.id}`) && l.includes('from=ready to=moving'),
          );
          expect(claimed && b.origin === 'decision' ? `seed ${seed}: ${b.id}` : undefined).toBeUndefined();
        }
      const ends = await run.store.bursts({ limit: 1_000 });
      withdrawn += ends.filter((b) => b.state === 'withdrawn' && b.cause?.kind === 'stopped').length;
      given += ends.filter((b) => b.state === 'returned' && b.cause?.kind === 'stopped').length;
      if (at('--- resume') >= 0)
        again += run.history.slice(at('--- resume')).filter((l) => l.includes('to=moving')).length;
    }
    expect(given + withdrawn).toBeGreaterThan(3);
    expect(again).toBeGreaterThan(0);
  });
});

describe('a failing scenario', () => {
  it('loses what does not matter and keeps what does', async () => {
    const whole: Scenario = {
      ...scenarioOf(7, new Chance(7)),
      people: [],
      jobs: [...scenarioOf(7, new Chance(7)).jobs, ...scenarioOf(8, new Chance(8)).jobs],
      world: [
        { atMs: 1, does: 'oom', forMs: 1, nth: 0 },
        { atMs: 2, does: 'silence', forMs: 1, nth: 0 },
        { atMs: 3, does: 'revive', forMs: 1, nth: 0 },
      ],
    };
    const fails = async (s: Scenario): Promise<boolean> =>
      s.world.some((w) => w.does === 'silence') && s.jobs.length > 0;
    const least = await smaller(whole, fails);
    expect(least.world.map((w) => w.does)).toEqual(['silence']);
    expect(least.jobs).toHaveLength(1);
    expect([least.kills, least.faults, least.pauses]).toEqual([[], [], []]);
  });
});

describe('the checker', () => {
  it('is shown at least sixteen bugs, each under a name of its own', () => {
    expect(new Set(plants.map((p) => p.name)).size).toBe(plants.length);
    expect(plants.length).toBeGreaterThanOrEqual(16);
  });

  it('sees a job that was left where we put it, and a machine that was left on', async () => {
    const run = await played(scenarioOf(3, new Chance(3)));
    expect(await breaches(run)).toEqual([]);
    const ref = run.slurm.submit('alice', { partition: 'burst_wait', timeMs: 60_000 });
    run.cloud.createFleet({
      clientToken: 'x',
      template: 'cpu',
      overrides: [{ type: 'm.small', zone: 'eu-sim-1a' }],
      capacityType: 'on-demand',
      target: 1,
      minTarget: 0,
      instanceTags: {},
      fleetTags: {},
    });
    const found = await breaches(run);
    expect(found.map((b) => b.invariant)).toEqual(expect.arrayContaining([2, 3]));
    expect(found.some((b) => b.text.includes(`job ${ref} is PENDING in burst_wait`))).toBe(true);
  });
});
