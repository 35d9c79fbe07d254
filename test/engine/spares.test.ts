/** Warm spares by the real engine on the models: kept while work comes, given up when it stops, and never past anybody's no. */
import { describe, expect, it } from 'vitest';
import { instant } from '../../src/domain/ids.ts';
import type { Ports } from '../../src/engine/context.ts';
import { Spares, type SparesInput } from '../../src/engine/spares.ts';
import { scriptOf } from '../../src/sim/models/keeper-work.ts';
import { MemStore } from '../../src/sim/models/store.ts';
import { newId } from '../contract/samples.ts';
import { cluster, group, minute } from './chaos/centre.ts';
import { breaches } from './chaos/check.ts';
import { Run } from './chaos/run.ts';
import type { Scenario } from './chaos/scenario.ts';

const drain = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const scenario: Scenario = {
  ...{ seed: 5, onLost: 'requeue', mode: 'auto', lowered: undefined, ramp: undefined, idleMs: minute },
  ...{ budget: 50_000_000, fullMs: 0, people: [], world: [], faults: [], kills: [] },
  ...{ pauses: [], secondAtMs: undefined, slowness: 0, jobs: [] },
};

/** A job of an eighth of a machine each minute, for so many minutes. */
async function stream(spares: number, minutes: number, over: Partial<Scenario> = {}) {
  const run = new Run({ ...scenario, groups: [{ ...group, spares }], ...over }, drain, true);
  const begun = run.time.now();
  const at = (after: number) => run.time.run(instant(begun + after * minute));
  run.startGateway();
  await at(1);
  for (let i = 1; i <= minutes; i++) {
    run.slurm.submit(i % 2 === 0 ? 'alice' : 'bob', {
      ...{ partition: 'cloud', cpusPerTask: 1, timeMs: 10 * minute, work: { ms: minute / 2, exit: 0 } },
      script: scriptOf({ ms: minute / 2, exit: { code: 0 } }),
    });
    await at(1 + i);
  }
  const alive = async () =>
    (await run.store.liveInstances(cluster)).filter((i) => i.state !== 'gone' && i.state !== 'terminating');
  /** The one that led dies, and another is started at once. */
  const restart = async () => {
    run.stop();
    await at(1.5 + minutes + 3);
    run.startGateway();
  };
  const bought = async () => (await run.store.instances(99)).length;
  return { run, at, alive, bought, restart, end: 1 + minutes };
}

describe('warm spares', () => {
  it('are kept beyond the idle time while work comes, and given up once two hours have brought none', async () => {
    const s = await stream(1, 110);
    await s.at(s.end + 8);
    // Its group lets an instance idle for a minute.
    expect(await s.alive()).toMatchObject([{ state: 'ready' }]);
    await s.at(s.end + 150);
    expect(await s.alive()).toEqual([]);
    s.run.stop();
    expect(await breaches(s.run)).toEqual([]);
  });

  it('are room, be it on a machine that works: a stream that one machine carries launches no second one', async () => {
    const s = await stream(1, 110);
    await s.at(s.end + 8);
    expect(await s.bought()).toBe(1);
    s.run.stop();
  });

  it('are the oldest machines, until their maximum age', async () => {
    const s = await stream(1, 110, { groups: [{ ...group, spares: 1, maxAgeMs: 40 * minute }] });
    await s.at(s.end + 8);
    const bought = await s.bought();
    expect(bought).toBeGreaterThan(2);
    expect(bought).toBeLessThan(6);
    s.run.stop();
  });

  it('outlive a gateway: the next one keeps what waits warm, and buys none in its place', async () => {
    const s = await stream(1, 60);
    await s.at(s.end + 3);
    const before = await s.alive();
    expect(before).toMatchObject([{ state: 'ready' }]);
    await s.restart();
    await s.at(s.end + 8);
    expect((await s.alive()).map(({ id }) => id)).toEqual(before.map(({ id }) => id));
    expect(await s.bought()).toBe(1);
    s.run.stop();
  });

  it('are none unless the group says so', async () => {
    const s = await stream(0, 110);
    await s.at(s.end + 8);
    expect(await s.alive()).toEqual([]);
    s.run.stop();
  });

  it.each(['stop', 'drain', 'budget'] as const)('end with a %s', async (how) => {
    const s = await stream(1, 110, how === 'budget' ? { overhead: 150_000 } : {});
    if (how === 'stop') await s.run.store.stop(cluster, 'alice', 'a word');
    if (how === 'drain') await s.run.store.drainGroup(cluster, 'cpu', 'alice', 'a driver');
    await s.at(s.end + 12);
    expect(await s.alive()).toEqual([]);
    const launched = s.run.cloud.truth().length;
    await s.at(s.end + 20);
    expect(s.run.cloud.truth().length).toBeLessThanOrEqual(launched);
    s.run.stop();
    expect(await breaches(s.run)).toEqual([]);
  });
});

it('a breaker of a group without spares is closed when that group’s own time is over', async () => {
  let at = instant(1_800_000_000_000);
  const clock = { now: () => at };
  const entropy = { uuid: () => newId(), bytes: (n: number) => new Uint8Array(n), random: () => 0.5 };
  const store = new MemStore({ clock, entropy });
  const spares = new Spares({ store, clock, entropy, log: () => undefined } as unknown as Ports);
  const patient = { ...group, name: 'patient', bootRetryMs: 120 * minute };
  await store.tripBreaker(cluster, patient.name, 'spillway', 'ten in a row');
  const stock = () =>
    spares.stock({
      ...{ setup: { name: cluster, mode: 'auto' }, policy: { budgets: [] }, generation: newId(), epoch: 1 },
      offered: [{ ...group, spares: 1 }, patient].map((of) => ({ group: of, types: [] })),
    } as unknown as SparesInput);
  at = instant(at + 40 * minute);
  await stock();
  expect(await store.breakers(cluster)).toMatchObject([{ group: 'patient' }]);
  at = instant(at + 81 * minute);
  await stock();
  expect(await store.breakers(cluster)).toEqual([]);
});
