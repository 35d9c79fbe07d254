/** One trace through the gateway on the models and through replay gives the same decisions, row by row. */
import { describe, expect, it, vi } from 'vitest';
import { assumed } from '../../src/decide/ready.ts';
import { instant } from '../../src/domain/ids.ts';
import type { Condition, Policy } from '../../src/domain/policy.ts';
import { Chance } from '../../src/sim/chance.ts';
import { columnsOf } from '../../src/sim/replay/policy.ts';
import { worth } from '../../src/sim/replay/worth.ts';
import { clean, type TraceJob } from '../../src/sim/trace/job.ts';
import { readTrace } from '../../src/sim/trace/read.ts';
import { type Site, setup, throughGateway } from '../sim/gateway.world.ts';
import { goesOfReplay, parting, type Rows, rowsOfGateway, rowsOfReplay } from './replay.rows.ts';

// Each plays a trace twice, beside whatever else the machine does.
vi.setConfig({ testTimeout: 240_000 });

const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;
const begin = Date.UTC(2026, 0, 5, 8);

const race: Condition = { kind: 'race', startsAtLeastMs: 30 * minute, laterThan: 'cloud', confidence: 0.8 };
const conditions: Readonly<Record<string, readonly Condition[]>> = {
  'the start race': [race],
  'a least worth': [{ kind: 'worth', atLeast: 2 }],
  'so long waited': [{ kind: 'waited', forMs: 2 * hour }],
  'a short limit or a backlog': [
    { kind: 'short', timeLimitMs: 15 * minute },
    { kind: 'backlog', pendingJobs: 5, forMs: hour },
  ],
};

const inSecond = (ms: number): number => Math.floor(ms / second) * second;

const policyOf = (burstWhen: readonly Condition[], more: Partial<Policy> = {}): Policy => ({
  ...{ burstWhen, never: [{ kind: 'account', account: 'a2' }], maxBursts: 1_000, maxTimeMs: undefined },
  ...{ backOffMs: hour, returns: 3, budgets: [] },
  ...more,
});

const siteOf = (policy: Policy, more: Partial<Site> = {}): Site => ({
  ...{ processors: 16, startAt: instant(begin + 500), setup, policy },
  forecaster: { draws: 5, exact: 30 },
  ...more,
});

/** Jobs of a crowded machine; several at once, and some in the second before a look. */
function trace(seed: number, count: number, processors = 16): readonly TraceJob[] {
  const chance = new Chance(seed);
  let submitMs = begin + 10 * second;
  return Array.from({ length: count }, (_, i) => {
    if (chance.hit(0.8)) submitMs += chance.whole(1, 1_500) * second;
    if (chance.hit(0.2)) submitMs = Math.ceil(submitMs / minute) * minute;
    const user = chance.whole(0, 7);
    const requestMs = chance.pick([15, 60, 240, 720]) * minute;
    // Each has a way of asking for too much.
    const runMs =
      Math.max(1, Math.round((requestMs * chance.random() ** (1 + (user % 4))) / second)) * second;
    const who = { user: `u${user}`, account: `a${user % 3}`, partition: 'batch' };
    return {
      id: `${i + 1}`,
      submitMs,
      runMs,
      requestMs,
      processors: chance.whole(1, processors / 2),
      ...who,
    };
  });
}

const auto = { ...setup, mode: 'auto' as const };
const bursts = (rows: Rows): number => [...rows.values()].flat().filter((r) => r.verdict === 'burst').length;

describe('one trace through the gateway and through replay', () => {
  const both = async (jobs: readonly TraceJob[], site: Site) => {
    const ran = await throughGateway(jobs, site);
    expect(ran.errors).toEqual([]);
    return { ran, gateway: await rowsOfGateway(ran), ...rowsOfReplay(jobs, site) };
  };

  it.each(Object.entries(conditions))('is decided alike while the gateway observes: %s', async (_, when) => {
    const { gateway, rows } = await both(trace(1, 100), siteOf(policyOf(when)));
    expect(parting(gateway, rows)).toBeUndefined();
    expect(bursts(gateway)).toBeGreaterThan(20);
    expect([...gateway.values()].flat().length).toBeGreaterThan(2 * bursts(gateway));
  });

  it.each(Object.entries(conditions))('is decided alike where who goes is gone: %s', async (_, when) => {
    const jobs = trace(3, 80);
    const { ran, gateway, rows, played } = await both(jobs, siteOf(policyOf(when), { setup: auto }));
    expect(parting(gateway, rows)).toBeUndefined();
    const went = played.burstMs.filter((at) => !Number.isNaN(at)).length;
    expect(went).toBeGreaterThan(15);
    // Those that stayed are as many again, and start in the same second.
    expect(jobs.length - went).toBeGreaterThan(20);
    expect(ran.starts).toEqual(jobs.map((j, i) => inSecond(j.submitMs + (played.waitMs[i] as number))));
  });

  it('is decided alike where a budget and a cap let only some go', async () => {
    const budget = { account: undefined, microUsd: 600_000, per: 'day' as const, hard: true };
    const policy = policyOf(conditions['a least worth'] ?? [], { budgets: [budget], maxBursts: 3 });
    const { gateway, rows } = await both(trace(4, 70), siteOf(policy, { setup: auto }));
    expect(parting(gateway, rows)).toBeUndefined();
    const failed = new Set([...gateway.values()].flat().map((r) => r.failed));
    expect([...failed]).toEqual(expect.arrayContaining(['budget', 'cap']));
  });

  it('is decided alike where spot is allowed, and what is bought is the same for each', async () => {
    // Little less than on demand: too dear for who would run long and be taken back.
    const spot = { spotMicroUsd: 375_000, setup: auto };
    const site = siteOf(policyOf([{ kind: 'waited', forMs: 2 * hour }]), spot);
    const { gateway, rows, played } = await both(trace(3, 60), site);
    expect(parting(gateway, rows)).toBeUndefined();
    const bought = [...gateway.values()].flat().flatMap(({ buys }) => buys ?? []);
    expect(bought.filter((b) => b === 'spot').length).toBeGreaterThan(3);
    expect(bought.filter((b) => b === 'on-demand').length).toBeGreaterThan(3);
    expect(played.spotRuns.size).toBe(bought.filter((b) => b === 'spot').length);
  });

  it('is decided alike where spot is spent from a budget', async () => {
    const budget = { account: undefined, microUsd: 600_000, per: 'day' as const, hard: true };
    const policy = policyOf(conditions['a least worth'] ?? [], { budgets: [budget] });
    const site = siteOf(policy, { spotMicroUsd: 120_000, setup: auto });
    const { gateway, rows } = await both(trace(4, 50), site);
    expect(parting(gateway, rows)).toBeUndefined();
    expect([...gateway.values()].flat().map((r) => r.failed)).toContain('budget');
  });

  it('is decided alike where the cloud takes its time, and some start here before they are claimed', async () => {
    const jobs = trace(6, 70).map((j) => ({ ...j, processors: 8 }));
    const boots = { ms: 10 * minute, cpus: 8 };
    const policy = policyOf([{ kind: 'waited', forMs: 5 * minute }]);
    // Nobody is decided on while a machine boots, so each has one of its own.
    const site = siteOf(policy, { boots, setup: { ...auto, pollMs: 12 * minute } });
    const { ran, gateway, rows, played } = await both(jobs, site);
    expect(parting(gateway, rows)).toBeUndefined();
    expect(ran.starts).toEqual(jobs.map((j, i) => inSecond(j.submitMs + (played.waitMs[i] as number))));
    const went = played.burstMs.filter((at) => !Number.isNaN(at)).length;
    expect(went).toBeGreaterThan(15);
    expect(bursts(gateway)).toBeGreaterThan(went);
  });

  it("the default policy's own fast way through a trace sends the same jobs at the same looks", async () => {
    const log = await readTrace('config/examples/small.swf');
    const { jobs } = clean(log.jobs.slice(0, 250), 64);
    const policy = { ...policyOf([{ kind: 'worth', atLeast: 3 }]), never: [] };
    // A gateway that looks seldom plays the queue anew at each look.
    const pollMs = 10 * minute;
    const startAt = instant((jobs[0]?.submitMs ?? 0) - hour + 500);
    const site = siteOf(policy, { processors: 64, startAt, setup: { ...setup, pollMs } });
    const { gateway, rows, looks } = await both(jobs, site);
    expect(parting(gateway, rows)).toBeUndefined();
    const fast = worth(columnsOf(jobs), { leastWorth: 3, readyMs: assumed.p50, agesBy: 0 });
    expect(goesOfReplay(jobs, site, fast)).toEqual(looks);
    expect(looks.length).toBeGreaterThan(100);
  });
});

describe('where they part, the row is told', () => {
  const jobs = trace(1, 60);
  const site = siteOf(policyOf([race]));

  it.each<[string, Site]>([
    ['another confidence', { ...site, policy: policyOf([{ ...race, confidence: 0.9 }]) }],
    ['another number of draws', { ...site, forecaster: { ...site.forecaster, draws: 6 } }],
    ['looks at another time', { ...site, startAt: instant(site.startAt + 20 * second) }],
    ['a machine with one processor more', { ...site, processors: 17 }],
    ['a spot market', { ...site, spotMicroUsd: 100_000 }],
    ['one who may never go', { ...site, policy: { ...site.policy, never: [] } }],
  ])('%s', async (_, other) => {
    const gateway = await rowsOfGateway(await throughGateway(jobs, site));
    expect(parting(gateway, rowsOfReplay(jobs, site).rows)).toBeUndefined();
    expect(parting(gateway, rowsOfReplay(jobs, other).rows)).toMatch(
      /^job \d+, row \d+: the gateway says (burst|wait|never)( on \S+)? at 2026-01-.*; replay (says|has none)/,
    );
  });
});
