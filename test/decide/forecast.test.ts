import { describe, expect, it } from 'vitest';
import { Calibration } from '../../src/decide/calibrate.ts';
import {
  byLimits,
  forecastStarts,
  learnedRunTimes,
  nameOf,
  type QueuedJob,
  quantile,
  usualForecaster,
} from '../../src/decide/forecast.ts';
import { Predictor } from '../../src/decide/predict.ts';
import type { StartRange } from '../../src/domain/forecast.ts';
import { Chance } from '../../src/sim/chance.ts';

const hour = 3_600_000;
const job = (processors: number, hours: number, user = 'ann'): QueuedJob => ({
  user,
  account: 'physics',
  processors,
  limitMs: hours * hour,
});
const once = { draws: 1, exact: 500 };
const random = (seed: number): (() => number) => {
  const chance = new Chance(seed);
  return () => chance.random();
};

describe('when would it start', () => {
  it('by limits: in the order of the queue, short ones fill the gap before the first', () => {
    const view = {
      processors: 10,
      running: [{ ...job(8, 4), ageMs: hour }],
      waiting: [job(10, 1), job(2, 3), job(2, 4), job(10, 2)],
    };
    const { p50 } = forecastStarts(view, byLimits, once, random(1));
    // 3 h are left; the second ends by then and goes first, the third would not.
    expect([...p50].map((ms) => ms / hour)).toEqual([3, 0, 4, 8]);
  });

  it('an empty machine starts everybody that fits at once, and never whom it cannot hold', () => {
    const view = { processors: 10, running: [], waiting: [job(6, 1), job(11, 1), job(4, 1)] };
    const { p10, p90 } = forecastStarts(view, byLimits, once, random(1));
    expect([...p10]).toEqual([0, Number.POSITIVE_INFINITY, 0]);
    expect([...p90]).toEqual([0, Number.POSITIVE_INFINITY, 0]);
  });

  it('an empty queue, and a machine without a processor that is up', () => {
    expect(
      forecastStarts({ processors: 4, running: [], waiting: [] }, byLimits, once, random(1)).p50,
    ).toHaveLength(0);
    const none = forecastStarts(
      { processors: 0, running: [], waiting: [job(1, 1)] },
      byLimits,
      once,
      random(1),
    );
    expect(none.p10[0]).toBe(Number.POSITIVE_INFINITY);
  });

  it('a running job that is past its limit is about to end', () => {
    const view = { processors: 4, running: [{ ...job(4, 1), ageMs: 2 * hour }], waiting: [job(4, 1)] };
    expect(forecastStarts(view, byLimits, once, random(1)).p90[0]).toBeLessThan(60_000);
  });

  it('a user whose jobs end early makes those behind start early, as far as is known', () => {
    const predictor = new Predictor();
    const chance = random(3);
    for (let i = 0; i < 200; i++) {
      predictor.learn(
        { user: 'ann', requestMs: 10 * hour, processors: 4 },
        (0.05 + chance() * 0.1) * 10 * hour,
      );
      predictor.learn({ user: 'bob', requestMs: 10 * hour, processors: 4 }, 10 * hour);
    }
    const behind = (user: string): StartRange => {
      const view = {
        processors: 4,
        running: [{ ...job(4, 10, user), ageMs: 0 }],
        waiting: [job(4, 10, 'cy')],
      };
      const { p10, p50, p90 } = forecastStarts(view, learnedRunTimes(predictor), usualForecaster, random(5));
      return { p10: p10[0] ?? 0, p50: p50[0] ?? 0, p90: p90[0] ?? 0 };
    };
    expect(behind('ann').p50).toBeLessThan(2 * hour);
    expect(behind('bob').p50).toBeGreaterThan(9 * hour);
    const { p10, p50, p90 } = behind('ann');
    expect(p10).toBeLessThanOrEqual(p50);
    expect(p50).toBeLessThan(p90);
  });

  it('behind the exact part it goes on where that ends, later with every job ahead', () => {
    const view = {
      processors: 64,
      running: [],
      waiting: Array.from({ length: 400 }, (_, i) => job(1 + (i % 32), 1 + (i % 5))),
    };
    const exact = forecastStarts(view, byLimits, { draws: 1, exact: 400 }, random(1)).p50;
    const flowing = forecastStarts(view, byLimits, { draws: 1, exact: 100 }, random(1)).p50;
    for (let i = 101; i < 400; i++)
      expect(flowing[i] ?? 0, `job ${i}`).toBeGreaterThanOrEqual(flowing[i - 1] ?? 0);
    expect(Math.abs((flowing[399] ?? 0) / (exact[399] ?? 1) - 1)).toBeLessThan(0.15);
  });

  it('the same numbers, the same forecast; receipts name the forecaster', () => {
    const view = {
      processors: 8,
      running: [{ ...job(8, 3), ageMs: 0 }],
      waiting: [job(3, 2), job(8, 1), job(2, 9)],
    };
    const predictor = new Predictor();
    for (let i = 1; i < 50; i++)
      predictor.learn({ user: 'ann', requestMs: 3 * hour, processors: 8 }, (i / 50) * 3 * hour);
    const say = () => forecastStarts(view, learnedRunTimes(predictor), usualForecaster, random(9));
    expect(say()).toEqual(say());
    expect(nameOf(usualForecaster)).toBe('backfill 500, draws 100');
  });

  it('quantiles are linear between values', () => {
    expect(quantile([1, 2, 3, 4, 5], 0.5)).toBe(3);
    expect(quantile([0, 10], 0.25)).toBe(2.5);
    expect(quantile([Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY], 0.3)).toBe(
      Number.POSITIVE_INFINITY,
    );
  });
});

describe('a site’s own forecast errors', () => {
  /** A site that starts everybody twice as late as forecast, more or less; and what its corrected forecasts held. */
  function played(calibration: Calibration, late: (i: number) => number, count = 4_000) {
    const chance = random(11);
    let [held, below, counted] = [0, 0, 0];
    for (let i = 0; i < count; i++) {
      const p50 = (0.2 + chance() * 20) * hour;
      const raw = { p10: p50 * 0.8, p50, p90: p50 * 1.2 };
      const actual = p50 * late(i) * Math.exp((chance() + chance() + chance() - 1.5) * 1.2);
      const said = calibration.correct(raw);
      if (i > 500) {
        counted += 1;
        if (actual <= said.p90) held += 1;
        if (actual <= said.p10) below += 1;
      }
      calibration.learn(raw, actual);
    }
    return { p90: held / counted, p10: below / counted };
  }

  it('nine in ten hold after the warm-up, where the drawn range is too narrow and too early', () => {
    const { p90, p10 } = played(new Calibration(), () => 2);
    expect(p90).toBeGreaterThan(0.87);
    expect(p90).toBeLessThan(0.93);
    expect(p10).toBeGreaterThan(0.07);
    expect(p10).toBeLessThan(0.13);
  });

  it('a site that changes is followed', () => {
    const { p90 } = played(new Calibration(), (i) => (i < 2_000 ? 1 : 6));
    expect(p90).toBeGreaterThan(0.87);
    expect(p90).toBeLessThan(0.93);
  });

  it('before it knows anything, the forecast stands as it is; never stays never', () => {
    const calibration = new Calibration();
    const raw = { p10: 1, p50: 2, p90: 3 };
    expect(calibration.correct(raw)).toEqual(raw);
    const never = { p10: hour, p50: Number.POSITIVE_INFINITY, p90: Number.POSITIVE_INFINITY };
    calibration.learn(never, 5);
    expect(calibration.correct(never)).toEqual(never);
  });

  it('a range keeps its order, whatever was learned', () => {
    const calibration = new Calibration();
    const chance = random(2);
    for (let i = 0; i < 500; i++) {
      const p50 = chance() * 50 * hour;
      const raw = { p10: p50 * chance(), p50, p90: p50 * (1 + chance()) };
      calibration.learn(raw, chance() * 100 * hour);
      const { p10, p50: half, p90 } = calibration.correct(raw);
      expect(p10).toBeGreaterThanOrEqual(0);
      expect(p10).toBeLessThanOrEqual(half);
      expect(half).toBeLessThanOrEqual(p90);
    }
  });
});
