import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ForecastInput } from '../../src/decide/backfill.ts';
import { startsOf } from '../../src/decide/backfill.ts';
import { expectedStarts, worthiest, worthOf } from '../../src/decide/worth.ts';

const hour = 3_600_000;
const usual = { leastWorth: 1, readyMs: 0, exact: 100 };

type Row = readonly [processors: number, limitMs: number, runMs: number];

function backlog(running: readonly Row[], waiting: readonly Row[]): ForecastInput {
  const all = [...running, ...waiting];
  return {
    processors: Int32Array.from(all, ([p]) => p),
    limitMs: Float64Array.from(all, ([, l]) => l),
    runMs: Float64Array.from(all, ([, , r]) => r),
    running: running.length,
  };
}

describe('worth', () => {
  it('is waiting saved by work, and the same on a machine ten times as large with jobs ten times as wide', () => {
    expect(worthOf(4 * hour, 2 * hour, 10)).toBe(20);
    expect(worthOf(4 * hour, 20 * hour, 100)).toBe(20);
  });

  it('a short job behind a long one goes, the long one stays', () => {
    const jobs = backlog(
      [[10, 8 * hour, 8 * hour]],
      [
        [10, 24 * hour, 24 * hour],
        [1, hour, hour / 2],
      ],
    );
    const chosen = worthiest(10, jobs, usual);
    expect(chosen.map((c) => c.job)).toEqual([2]);
    expect(chosen[0]?.startsInMs).toBe(32 * hour);
  });

  it('the most worth comes first', () => {
    const jobs = backlog(
      [[10, 8 * hour, 8 * hour]],
      [
        [2, hour, hour],
        [1, hour, hour / 6],
        [4, hour, hour],
      ],
    );
    expect(worthiest(10, jobs, usual).map((c) => c.job)).toEqual([2, 1, 3]);
  });

  it('who has gone is gone for those behind, who are then worth less', () => {
    const jobs = backlog(
      [[10, hour, hour]],
      [
        [10, 2 * hour, 2 * hour],
        [10, 2 * hour, 2 * hour],
      ],
    );
    const all = worthiest(10, jobs, { ...usual, leastWorth: 0.4 });
    // The second would have waited three hours, and waits one now that the first has gone.
    expect(all.map((c) => [c.job, c.startsInMs / hour])).toEqual([
      [1, 1],
      [2, 1],
    ]);
  });

  it('nobody goes who would start here before the cloud is ready, however low the knob', () => {
    const jobs = backlog([[10, 60_000, 60_000]], [[1, hour, 1_000]]);
    expect(worthiest(10, jobs, { ...usual, leastWorth: 0, readyMs: 180_000 })).toEqual([]);
    expect(worthiest(10, jobs, { ...usual, leastWorth: 0, readyMs: 30_000 })).toHaveLength(1);
  });

  it('an infinite knob keeps everybody, and who fits on no machine is left to others', () => {
    const jobs = backlog(
      [[10, hour, hour]],
      [
        [1, hour, 1],
        [11, hour, 1],
      ],
    );
    expect(worthiest(10, jobs, { ...usual, leastWorth: Number.POSITIVE_INFINITY })).toEqual([]);
    expect(worthiest(10, jobs, { ...usual, leastWorth: 0 }).map((c) => c.job)).toEqual([1]);
  });
});

describe('expected starts', () => {
  const rows = fc.array(
    fc.tuple(
      fc.integer({ min: 1, max: 16 }),
      fc.integer({ min: 1, max: 1_000 }),
      fc.double({ min: 0.1, max: 1, noNaN: true }),
    ),
    { minLength: 1, maxLength: 40 },
  );

  it('are those of the machine where the whole queue is played', () => {
    fc.assert(
      fc.property(rows, (made) => {
        const jobs = backlog(
          [],
          made.map(([p, l, share]) => [p, l, Math.max(1, l * share)]),
        );
        expect(expectedStarts(16, jobs, 1_000)).toEqual(startsOf(16, jobs));
      }),
    );
  });

  it('never fall behind the part that is played: who is further back starts no sooner', () => {
    fc.assert(
      fc.property(rows, fc.integer({ min: 1, max: 10 }), (made, exact) => {
        const jobs = backlog(
          [],
          made.map(([p, l, share]) => [p, l, Math.max(1, l * share)]),
        );
        const behind = expectedStarts(16, jobs, exact).subarray(exact);
        for (let i = 1; i < behind.length; i++)
          expect(behind[i] as number).toBeGreaterThanOrEqual(behind[i - 1] as number);
      }),
    );
  });
});
