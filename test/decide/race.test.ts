import { describe, expect, it } from 'vitest';
import { chanceLater, chanceOfWaiting } from '../../src/decide/race.ts';
import { assumed, readyByGroup, readyOf } from '../../src/decide/ready.ts';
import { instant } from '../../src/domain/ids.ts';

const minute = 60_000;
const range = { p10: 10 * minute, p50: 30 * minute, p90: 70 * minute };

describe('the start race', () => {
  it('the chance of still waiting passes through the three quantiles, and never rises', () => {
    expect(chanceOfWaiting(range, 0)).toBe(1);
    expect(chanceOfWaiting(range, range.p10)).toBeCloseTo(0.9);
    expect(chanceOfWaiting(range, range.p50)).toBeCloseTo(0.5);
    expect(chanceOfWaiting(range, range.p90)).toBeCloseTo(0.1);
    let before = 1;
    for (let m = 0; m < 300; m++) {
      const now = chanceOfWaiting(range, m * minute);
      expect(now).toBeLessThanOrEqual(before);
      expect(now).toBeGreaterThanOrEqual(0);
      before = now;
    }
  });

  it('quantiles that fall together are a step, and one that starts now waits for nothing', () => {
    const sure = { p10: minute, p50: minute, p90: minute };
    expect(chanceOfWaiting(sure, minute - 1)).toBeGreaterThan(0.89);
    expect(chanceOfWaiting(sure, minute)).toBe(0);
    expect(chanceOfWaiting({ p10: 0, p50: 0, p90: 0 }, 1)).toBe(0);
    expect(chanceOfWaiting({ p10: 0, p50: 0, p90: 10 }, 5)).toBeCloseTo(0.3);
  });

  it('what can never start waits for ever; what may never start does with what is left', () => {
    const inf = Number.POSITIVE_INFINITY;
    expect(chanceOfWaiting({ p10: inf, p50: inf, p90: inf }, 365 * 86_400_000)).toBe(1);
    const perhaps = chanceOfWaiting({ p10: 0, p50: minute, p90: inf }, 60 * minute);
    expect(perhaps).toBeGreaterThan(0.1);
    expect(perhaps).toBeLessThanOrEqual(0.5);
  });

  it('against the cloud it is the mean over what the cloud has taken', () => {
    expect(chanceLater(range, [0, range.p50])).toBeCloseTo(0.75);
    expect(chanceLater(range, [])).toBe(0);
  });
});

describe('when the cloud is ready', () => {
  const burst = (
    group: string,
    minutes: number | undefined,
    origin: 'decision' | 'requeue' = 'decision',
  ) => ({
    origin,
    group,
    createdAt: instant(1_000),
    startedAt: minutes === undefined ? undefined : instant(1_000 + minutes * minute),
  });

  it('is what this site’s own bursts took, by node group; adopted, requeued and never started ones say nothing', () => {
    const ready = readyByGroup([
      ...Array.from({ length: 20 }, () => burst('cpu', 2)),
      burst('cpu', undefined),
      burst('cpu', 60, 'requeue'),
      burst('gpu', 9),
    ]);
    expect(ready.get('cpu')).toMatchObject({ p50: 2 * minute, p90: 2 * minute, measured: 20 });
    expect(ready.get('gpu')?.measured).toBe(1);
    expect(ready.get('other')).toBeUndefined();
  });

  it('a few of its own are held beside what is assumed', () => {
    expect(assumed.measured).toBe(0);
    expect(assumed.p50).toBe(3 * minute);
    expect(readyOf([30 * minute]).p90).toBeGreaterThan(assumed.p90);
    expect(readyOf([30 * minute]).p50).toBeLessThan(5 * minute);
  });
});
