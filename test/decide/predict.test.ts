import { describe, expect, it } from 'vitest';
import { bins, given, Predictor, ratioEdges, remainingMs, shareAt } from '../../src/decide/predict.ts';

const hour = 3_600_000;
const job = (user: string, requestMs = 4 * hour, processors = 8) => ({ user, requestMs, processors });

describe('the run time that is expected', () => {
  it('is the whole request where nothing is known, and moves towards what others did', () => {
    const p = new Predictor();
    expect(p.expectedMs(job('anna'))).toBe(4 * hour);
    expect(shareAt(p.predict(job('anna')), 0.5)).toBe(1);
    for (let i = 0; i < 200; i++) p.learn(job('ben'), hour);
    expect(p.expectedMs(job('anna')) / hour).toBeCloseTo(1, 1);
  });

  it("goes by the user's own jobs rather than by others', and by those of the same request and size most", () => {
    const p = new Predictor();
    for (let i = 0; i < 200; i++) p.learn(job('ben'), hour);
    for (let i = 0; i < 40; i++) {
      p.learn(job('anna'), 3.6 * hour);
      p.learn(job('anna', 4 * hour, 64), 0.4 * hour);
    }
    expect(p.expectedMs(job('ben')) / hour).toBeCloseTo(1, 1);
    expect(p.expectedMs(job('anna')) / hour).toBeGreaterThan(2.5);
    expect(p.expectedMs(job('anna', 4 * hour, 64)) / hour).toBeLessThan(1.5);
  });

  it('one job of a newcomer is drawn to what all do', () => {
    const p = new Predictor();
    for (let i = 0; i < 200; i++) p.learn(job('ben'), 2 * hour);
    p.learn(job('anna'), 1);
    expect(p.expectedMs(job('anna')) / hour).toBeGreaterThan(1);
  });

  it('older jobs fade', () => {
    const p = new Predictor();
    for (let i = 0; i < 50; i++) p.learn(job('anna'), 4 * hour);
    for (let i = 0; i < 30; i++) p.learn(job('anna'), 0.4 * hour);
    expect(p.expectedMs(job('anna')) / hour).toBeLessThan(1);
  });

  it('a run past its limit counts as one to its limit, and what is no run teaches nothing', () => {
    const p = new Predictor();
    p.learn(job('anna'), 9 * hour);
    expect(p.expectedMs(job('anna'))).toBe(4 * hour);
    p.learn(job('anna', 0), 5);
    p.learn(job('anna'), Number.NaN);
    expect(p.learned).toBe(1);
  });
});

describe('the distribution', () => {
  const p = new Predictor();
  for (let i = 0; i < 1_000; i++) p.learn(job('anna'), i % 2 === 0 ? 0.05 * hour : 4 * hour);
  const forecast = p.predict(job('anna'));

  it('is one, with the mean that is expected', () => {
    expect(forecast.weights.reduce((a, b) => a + b)).toBeCloseTo(1, 9);
    expect(forecast.mean * 4 * hour).toBeCloseTo(p.expectedMs(job('anna')), 3);
    expect(ratioEdges).toHaveLength(bins);
  });

  it('its quantiles rise, and draws are spread like it', () => {
    expect(shareAt(forecast, 0.25)).toBeLessThan(0.02);
    expect(shareAt(forecast, 0.75)).toBe(1);
    const draws = Array.from({ length: 1_000 }, (_, i) => shareAt(forecast, i / 1_000));
    expect(draws).toEqual([...draws].sort((a, b) => a - b));
    expect(draws.filter((d) => d < 0.05).length / 1_000).toBeCloseTo(0.5, 1);
  });

  it('a job that has run for long is none of those that end at once', () => {
    expect(given(forecast, 0.1).mean).toBeGreaterThan(0.95);
    expect(given(forecast, 0).mean).toBe(forecast.mean);
    expect(remainingMs(forecast, 4 * hour, hour)).toBeGreaterThan(2.8 * hour);
    expect(remainingMs(forecast, 4 * hour, hour)).toBeLessThanOrEqual(3 * hour);
  });

  it('beyond all that was seen it runs to its limit, and at the limit no longer', () => {
    const short = new Predictor();
    for (let i = 0; i < 3_000; i++) short.learn(job('anna'), 0.05 * hour);
    expect(remainingMs(short.predict(job('anna')), 4 * hour, 3 * hour)).toBeGreaterThan(0.9 * hour);
    expect(remainingMs(forecast, 4 * hour, 4 * hour)).toBe(0);
    expect(remainingMs(forecast, 4 * hour, 5 * hour)).toBe(0);
    expect(given(forecast, 2).mean).toBe(1);
  });
});
