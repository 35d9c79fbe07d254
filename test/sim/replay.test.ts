import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compile } from '../../config/expression.ts';
import { courseOf, figuresOf, jain } from '../../src/sim/replay/figures.ts';
import { pointForShare } from '../../src/sim/replay/front.ts';
import { play, type Site, usualCloud } from '../../src/sim/replay/play.ts';
import { makePolicy, type PolicyName, policies } from '../../src/sim/replay/policies.ts';
import { columnsOf, type Policy } from '../../src/sim/replay/policy.ts';
import type { TraceJob } from '../../src/sim/trace/job.ts';

const minute = 60_000;
const hour = 60 * minute;
const site: Site = { processors: 4, cloud: usualCloud, tickMs: minute };
const patient = (ms: number): Policy => ({ patienceMs: () => ms });

function log(...rows: readonly (readonly [submitMs: number, processors: number, runMs: number])[]) {
  return columnsOf(
    rows.map(([submitMs, processors, runMs], i): TraceJob => {
      const names = { id: String(i), user: `u${i % 3}`, account: `a${i % 2}`, partition: 'p' };
      return { ...names, submitMs, processors, runMs, requestMs: 2 * runMs };
    }),
  );
}

describe('a trace that is played', () => {
  it('runs all of it here without a policy', () => {
    const { waitMs, burstMs } = play(log([0, 4, hour], [0, 4, hour]), site);
    expect([...waitMs]).toEqual([0, hour]);
    expect([...burstMs]).toEqual([Number.NaN, Number.NaN]);
  });

  it('a job bursts when its patience is over, and its wait counts the boot', () => {
    const { waitMs, burstMs } = play(log([0, 4, 9 * hour], [0, 1, hour]), site, patient(2 * hour));
    expect([...burstMs]).toEqual([Number.NaN, 2 * hour]);
    expect([...waitMs]).toEqual([0, 2 * hour + usualCloud.bootMs]);
  });

  it('a job that starts before its patience is over stays', () => {
    const { burstMs } = play(log([0, 4, hour], [0, 1, hour]), site, patient(2 * hour));
    expect([...burstMs]).toEqual([Number.NaN, Number.NaN]);
  });

  it('who has gone makes room for those behind', () => {
    const trace = log([0, 4, hour], [0, 4, 9 * hour], [1, 1, hour]);
    const { waitMs } = play(trace, site, {
      patienceMs: (j) => (j === 1 ? minute : Number.POSITIVE_INFINITY),
    });
    expect(waitMs[2]).toBe(hour - 1);
  });

  it('a full cloud keeps them waiting, and they go as soon as there is room', () => {
    const small = { ...site, cloud: { bootMs: 0, processors: 1 } };
    const trace = log([0, 4, 9 * hour], [0, 1, hour], [0, 1, hour]);
    expect([...play(trace, small, patient(0)).burstMs]).toEqual([Number.NaN, 0, hour]);
  });

  it('claimed late, who starts here before the cloud is ready stays, and who does not leaves the queue only then', () => {
    const late = (after: number): Policy => ({ ...patient(after), claims: 'late' });
    const boots = { ...site, cloud: { bootMs: 10 * minute, processors: 4 } };
    const trace = log([0, 4, hour], [0, 4, hour], [0, 1, hour]);
    // At 55 minutes the cloud has room for the first of two; it starts here at 60, before its capacity is ready at 65, and leaves its place in the cloud to the second.
    const { waitMs, burstMs } = play(trace, boots, late(55 * minute));
    expect([...burstMs]).toEqual([Number.NaN, Number.NaN, 60 * minute]);
    expect([...waitMs]).toEqual([0, hour, 70 * minute]);
    // Where the one is claimed, the other finds the cloud full until it starts here.
    const early = play(trace, boots, late(0));
    expect([...early.burstMs]).toEqual([Number.NaN, 0, Number.NaN]);
    expect([...early.waitMs]).toEqual([0, 10 * minute, hour]);
  });

  it('a policy that never chooses is asked after changes only, and the run ends', () => {
    const trace = log([0, 4, 9 * hour], [0, 1, hour], [0, 1, hour]);
    const played = play(trace, site, { chosen: () => [] });
    expect(played.ticks).toBe(1);
    expect([...played.waitMs]).toEqual([...play(trace, site).waitMs]);
  });

  it('an expression is asked of each that waits, with what is known then, and by the minute if it counts waiting', () => {
    const of = (text: string) => {
      const made = { label: 'e', expression: compile(text) };
      const trace = log([0, 4, 9 * hour], [0, 1, hour], [0, 2, 2 * hour]);
      const played = play(trace, site, makePolicy(made, trace, site));
      return [...played.burstMs];
    };
    const stays = Number.NaN;
    expect(of('job.cpus == 1')).toEqual([stays, 0, stays]);
    expect(of("job.user == 'u2' && job.account == 'a0' && 'p' in job.partitions")).toEqual([stays, stays, 0]);
    expect(of('job.waitedMinutes >= 90')).toEqual([stays, 90 * minute, 90 * minute]);
    expect(of('job.timeLimitMinutes < 121')).toEqual([stays, 0, stays]);
    // 18 h is what the first asked for, and all that is known of it.
    expect(of('forecast.known && forecast.p50Minutes >= 1080')).toEqual([stays, 0, 0]);
    expect(of('forecast.p50Minutes > 1081')).toEqual([stays, stays, stays]);
    // 4 h and 10 minutes of two cores at 0.048 dollars.
    expect(of('offer.worstUsd > 0.39 && offer.worstUsd < 0.41')).toEqual([stays, stays, 0]);
    expect(of('offer.readyP90Minutes > 3')).toEqual([stays, stays, stays]);
  });

  it('every policy ends every job once, here or in the cloud, and never on more than there is', () => {
    const rows = fc.array(
      fc.tuple(fc.nat(200), fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 300 })),
      { minLength: 1, maxLength: 60 },
    );
    const names = Object.keys(policies) as PolicyName[];
    fc.assert(
      fc.property(rows, fc.constantFrom(...names), fc.constantFrom(2, 4, 1_000), (made, policy, room) => {
        const sorted = made.map(([at, p, run]) => [at * minute, p, run * minute] as const);
        const trace = log(...sorted.sort((a, b) => a[0] - b[0]));
        const tight = { ...site, cloud: { bootMs: minute, processors: room } };
        const of = { label: policy, policy, parameters: { leastWorth: 2, waitedMs: hour, runMs: hour } };
        const played = play(trace, tight, makePolicy(of, trace, tight));
        for (const wait of played.waitMs) expect(wait).toBeGreaterThanOrEqual(0);
        expect(figuresOf(trace, played, tight).peakCloudCores).toBeLessThanOrEqual(room);
        const changes = [...played.waitMs].flatMap((wait, i): [number, number][] => {
          if (!Number.isNaN(played.burstMs[i] as number)) return [];
          const [at, p] = [(trace.submitMs[i] as number) + wait, trace.processors[i] as number];
          return [
            [at, p],
            [at + (trace.runMs[i] as number), -p],
          ];
        });
        changes.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
        let held = 0;
        for (const [, by] of changes) {
          held += by;
          expect(held).toBeLessThanOrEqual(site.processors);
        }
      }),
    );
  });
});

describe('figures', () => {
  it('are those of a run that is reckoned by hand', () => {
    const trace = log([0, 4, 10 * hour], [0, 2, hour]);
    const f = figuresOf(trace, play(trace, site, patient(hour)), site, {
      microUsdPerCoreHour: 100_000,
      instanceCores: 1,
    });
    expect(f).toMatchObject({ jobs: 2, bursts: 1, peakCloudCores: 2, peakInstances: 2, microUsd: 210_000 });
    expect(f.cloudShare).toBeCloseTo(2 / 42, 10);
    expect(f.waitMs.mean).toBe((hour + 3 * minute) / 2);
    expect(f.slowdown.mean).toBeCloseTo((1 + 123 / 60) / 2, 10);
  });

  it('fairness is 1 where all fare alike, and falls to 1/n', () => {
    expect(jain([3, 3, 3])).toBe(1);
    expect(jain([1, 0, 0, 0])).toBe(0.25);
  });

  it('the course holds every waiting hour and every core-hour of cloud', () => {
    const trace = log([0, 4, 10 * hour], [hour / 3, 2, hour]);
    const { waiting, cloudCores, spanMs } = courseOf(trace, play(trace, site, patient(hour)), 17);
    const sum = (of: Float64Array): number => of.reduce((a, b) => a + b * spanMs, 0);
    expect(sum(waiting)).toBeCloseTo(hour, 3);
    expect(sum(cloudCores)).toBeCloseTo(2 * (hour + 3 * minute), 3);
  });

  it('a knob is found for a share of cloud, and never beyond it', () => {
    const rows = Array.from(
      { length: 300 },
      (_, i) => [i * 20 * minute, 1 + (i % 4), (1 + (i % 7)) * hour] as const,
    );
    const trace = log(...rows);
    const make = (leastWorth: number): Policy =>
      makePolicy({ label: 'w', policy: 'worth', parameters: { leastWorth } }, trace, site);
    const { figures } = pointForShare(trace, site, make, 0.5);
    expect(figures.cloudShare).toBeLessThanOrEqual(0.5);
    expect(figures.cloudShare).toBeGreaterThan(0.4);
  });
});
