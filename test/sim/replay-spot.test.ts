/** Spot in a replay: what it costs, what is taken back, and what comes of that. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { replay } from '../../src/cli/replay.ts';
import { spotOf } from '../../src/cli/spot.ts';
import { usualForecaster } from '../../src/decide/forecast.ts';
import type { Policy as GatewayPolicy } from '../../src/domain/policy.ts';
import { Chance } from '../../src/sim/chance.ts';
import { figuresOf, usualBill } from '../../src/sim/replay/figures.ts';
import { atGateway } from '../../src/sim/replay/gateway-site.ts';
import { play, type Site, usualTickMs } from '../../src/sim/replay/play.ts';
import { columnsOf, type Policy } from '../../src/sim/replay/policy.ts';
import { coreCostOf, type SpotTerms, spotPriceAt, spotRunsOf } from '../../src/sim/replay/spot.ts';

const minute = 60_000;
const hour = 60 * minute;
const boot = 3 * minute;
const terms = (over: Partial<SpotTerms> = {}): SpotTerms => ({
  ...{ history: [{ fromMs: 0, microUsdPerCoreHour: 12_000 }], lossesPerHour: 0.05, seed: 1 },
  ...over,
});

describe('the runs of a job on spot', () => {
  it('are one where nothing is taken back', () => {
    expect(spotRunsOf(3, 0, boot, 5 * hour, terms({ lossesPerHour: 0 }))).toEqual([
      { bookedMs: 0, fromMs: boot, toMs: boot + 5 * hour, spot: true, lost: false },
    ]);
  });

  it('follow each other, each after a boot; the last is whole, and on demand after two losses', () => {
    const jobs = fc.integer({ min: 0, max: 1e6 });
    const rate = fc.double({ min: 0, max: 20, noNaN: true });
    fc.assert(
      fc.property(jobs, rate, fc.integer({ min: 1, max: 100 }), (job, lossesPerHour, hours) => {
        const runs = spotRunsOf(job, 7, boot, hours * hour, terms({ lossesPerHour }));
        let booked = 7;
        for (const [i, run] of runs.entries()) {
          expect(run.bookedMs).toBe(booked);
          expect(run.fromMs).toBe(booked + boot);
          expect(run.spot).toBe(i < 2);
          expect(run.lost).toBe(i < runs.length - 1);
          booked = run.toMs;
        }
        const last = runs.at(-1);
        expect(last?.toMs).toBeCloseTo((last?.fromMs ?? 0) + hours * hour, 3);
        expect(runs.length).toBeLessThanOrEqual(3);
      }),
    );
  });

  it('are lost as often as was said', () => {
    let lost = 0;
    const jobs = 20_000;
    for (let job = 0; job < jobs; job++)
      if (spotRunsOf(job, 0, boot, 10 * hour, terms())[0]?.lost === true) lost += 1;
    expect(lost / jobs).toBeCloseTo(1 - Math.exp(-0.5), 1);
  });

  it('cost what spot cost at each moment, and on demand what that costs', () => {
    const history = [
      { fromMs: 0, microUsdPerCoreHour: 10_000 },
      { fromMs: 2 * hour, microUsdPerCoreHour: 30_000 },
    ];
    const run = { bookedMs: hour, fromMs: hour, toMs: 4 * hour, spot: true, lost: false };
    expect(coreCostOf(run, 48_000, terms({ history }))).toBe(10_000 + 2 * 30_000);
    expect(coreCostOf({ ...run, spot: false }, 48_000, terms({ history }))).toBe(3 * 48_000);
    expect(spotPriceAt(terms({ history }), 3 * hour)).toBe(30_000);
    const before = terms({ history: [{ fromMs: 9 * hour, microUsdPerCoreHour: 7_000 }] });
    expect(coreCostOf(run, 48_000, before)).toBe(21_000);
    expect(spotPriceAt(before, 0)).toBe(7_000);
  });
});

const trace = (count: number) => {
  const chance = new Chance(5);
  return columnsOf(
    Array.from({ length: count }, (_, i) => {
      const requestMs = chance.pick([1, 4, 24]) * hour;
      return {
        ...{ id: `${i}`, submitMs: i * 10 * minute, requestMs, processors: chance.whole(1, 8) },
        runMs: Math.max(minute, Math.round(requestMs * chance.random())),
        ...{ user: 'u', account: 'a', partition: 'batch' },
      };
    }),
  );
};
const site = (spot: SpotTerms | undefined): Site => ({
  ...{ processors: 16, cloud: { bootMs: boot, processors: Number.POSITIVE_INFINITY, spot } },
  tickMs: usualTickMs,
});
const patient: Policy = { patienceMs: () => hour };

describe('a replay with spot', () => {
  it('costs a quarter where it costs a quarter and nothing is taken back, and is as soon over', () => {
    const jobs = trace(200);
    const cheap = site(terms({ lossesPerHour: 0 }));
    const [spot, bare] = [play(jobs, cheap, patient), play(jobs, site(undefined), patient)];
    expect([...spot.waitMs]).toEqual([...bare.waitMs]);
    const [of, without] = [figuresOf(jobs, spot, cheap), figuresOf(jobs, bare, site(undefined))];
    expect(of.microUsd / without.microUsd).toBeCloseTo(0.25, 4);
    expect(of).toMatchObject({ spotBursts: of.bursts, restarts: 0 });
    expect(without).toMatchObject({ spotBursts: 0, restarts: 0 });
  });

  it('runs again what is taken back, which costs waiting and money', () => {
    const jobs = trace(200);
    const rough = site(terms({ lossesPerHour: 0.5 }));
    const calm = site(terms({ lossesPerHour: 0 }));
    const [lost, kept] = [play(jobs, rough, patient), play(jobs, calm, patient)];
    const [of, without] = [figuresOf(jobs, lost, rough), figuresOf(jobs, kept, calm)];
    expect(of.restarts).toBeGreaterThan(20);
    expect(of.waitMs.mean).toBeGreaterThan(without.waitMs.mean);
    expect(of.microUsd).toBeGreaterThan(without.microUsd);
    for (const [job, runs] of lost.spotRuns)
      expect((runs.at(-1)?.toMs ?? 0) - (jobs.runMs[job] as number)).toBeCloseTo(
        (jobs.submitMs[job] as number) + (lost.waitMs[job] as number),
        3,
      );
  });

  it('asks the gateway’s own policy, which takes spot only where that is expected to cost less', () => {
    const jobs = trace(60);
    const policy: GatewayPolicy = {
      ...{ burstWhen: [{ kind: 'waited' as const, forMs: hour }], never: [], budgets: [], maxBursts: 1_000 },
      ...{ maxTimeMs: undefined, backOffMs: hour, returns: 3 },
    };
    const bought = (microUsdPerCoreHour: number, spotPercent: number | undefined) => {
      const at = site(terms({ history: [{ fromMs: 0, microUsdPerCoreHour }] }));
      const settings = {
        policy,
        forecaster: { ...usualForecaster, draws: 1 },
        pollMs: 10 * minute,
        spotPercent,
      };
      const made = atGateway(settings, jobs, at, usualBill);
      return figuresOf(jobs, play(jobs, made.site, made.policy), made.site);
    };
    const cheap = bought(12_000, 100);
    expect(cheap.bursts).toBeGreaterThan(10);
    expect(cheap.spotBursts).toBe(cheap.bursts);
    expect(cheap.restarts).toBeGreaterThan(0);
    const dear = bought(47_000, 100);
    expect(dear.spotBursts).toBeLessThan(dear.bursts);
    // More than is paid; and where no node group allows it.
    expect(bought(12_000, 20).spotBursts).toBe(0);
    expect(bought(12_000, undefined).spotBursts).toBe(0);
  });
});

describe('--spot-price', () => {
  const dir = mkdtempSync(join(tmpdir(), 'spillway-spot-'));
  const file = (text: string): string => {
    const path = join(dir, 'spot.csv');
    writeFileSync(path, text);
    return path;
  };
  const lines = async (order: Parameters<typeof replay>[0]) => {
    const all: string[] = [];
    for await (const line of replay(order)) all.push(line);
    return all;
  };

  it('is a price, or a file of them as they changed', async () => {
    expect((await spotOf('0.015', 0.1)).history).toEqual([{ fromMs: 0, microUsdPerCoreHour: 15_000 }]);
    const path = file('time,usd\n# a comment\n2026-10-01T00:00:00Z, 0.02\n1000,0.01\n');
    expect((await spotOf(path, 0.1)).history).toEqual([
      { fromMs: 1_000_000, microUsdPerCoreHour: 10_000 },
      { fromMs: Date.UTC(2026, 9, 1), microUsdPerCoreHour: 20_000 },
    ]);
  });

  it('names the line that is none, and a file that is not there', async () => {
    await expect(spotOf(file('2026-10-01T00:00:00Z;0.02\n'), 0)).rejects.toThrow(
      /spot\.csv:1: .*write such as/,
    );
    await expect(spotOf(file('# nothing\n'), 0)).rejects.toThrow(/holds no price/);
    await expect(spotOf('nowhere.csv', 0)).rejects.toThrow(/neither dollars a core-hour nor a file/);
    rmSync(dir, { recursive: true });
  });

  it('adds what went on spot and what ran again to the table', async () => {
    const order = { traces: ['config/examples/small.swf'], policy: ['none', 'waited:4h'] };
    const [, head = '', none = '', waited = ''] = await lines({ ...order, spotPrice: '0.012' });
    expect(head).toMatch(/on spot +restarts$/);
    expect(none).toMatch(/ 0 +0$/);
    expect(waited).toMatch(/ [1-9]\d* +[1-9]\d*$/);
    expect((await lines(order))[1]).not.toMatch(/spot/);
    await expect(lines({ ...order, spotLoss: '0.1' })).rejects.toThrow(/without --spot-price/);
  });
});
