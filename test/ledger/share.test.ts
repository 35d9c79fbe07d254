import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { burstId, instant } from '../../src/domain/ids.ts';
import { GiB, type Resources } from '../../src/domain/resources.ts';
import { billedSeconds, costOfLife, type Guest, type Life, sharesOf, split } from '../../src/ledger/share.ts';

const t0 = Date.UTC(2026, 10, 2, 10);
const hour = 3_600_000;
const capacity: Resources = { cpuMillis: 16_000, memoryBytes: 32 * GiB, extended: { 'nvidia.com/gpu': 4 } };
const cpus = (n: number): Resources => ({ cpuMillis: n * 1000, memoryBytes: GiB, extended: {} });
const life = (from: number, until: number, over: Partial<Life> = {}): Life => ({
  ...{ from: instant(t0 + from), until: instant(t0 + until), readyAt: undefined, perHour: 720_000, capacity },
  ...over,
});
const guest = (name: string, from: number, until: number, needs = cpus(4)): Guest => ({
  ...{ burst: burstId(name), needs, from: instant(t0 + from), until: instant(t0 + until) },
});
const told = (l: Life, guests: readonly Guest[]) =>
  Object.fromEntries(sharesOf(l, guests).map((s) => [s.burst ?? s.purpose, s.microUsd]));

describe('what an instance cost', () => {
  it('is by the second, and a minute at least', () => {
    expect(billedSeconds(life(0, 3_000))).toBe(60);
    expect(billedSeconds(life(0, 60_001))).toBe(61);
    expect(costOfLife(life(0, hour))).toBe(720_000);
    expect(costOfLife(life(0, 3_000))).toBe(12_000);
    expect(costOfLife(life(0, hour, { perHour: undefined }))).toBeUndefined();
  });

  it('is boot before its first burst, idle between two and after the last, and the bursts’ own meanwhile', () => {
    expect(told(life(0, hour), [guest('a', 360_000, 1_080_000), guest('b', 1_440_000, 2_880_000)])).toEqual({
      boot: 72_000,
      a: 144_000,
      b: 288_000,
      idle: 72_000 + 144_000,
    });
  });

  it('is shared by whatever resource each requests most of, and by who is there at the time', () => {
    const small = guest('small', 0, hour, cpus(4));
    const memory = guest('memory', 0, hour / 2, { cpuMillis: 1000, memoryBytes: 24 * GiB, extended: {} });
    // A quarter and three quarters of the machine for half an hour, then one has it alone.
    expect(told(life(0, hour), [small, memory])).toEqual({ small: 90_000 + 360_000, memory: 270_000 });
    const gpu = guest('gpu', 0, hour, { ...cpus(1), extended: { 'nvidia.com/gpu': 3 } });
    expect(told(life(0, hour), [small, gpu])).toEqual({ small: 180_000, gpu: 540_000 });
  });

  it('is all boot until its node was Ready where no burst ever came, and idle after', () => {
    expect(told(life(0, hour, { readyAt: instant(t0 + hour / 4) }), [])).toEqual({
      boot: 180_000,
      idle: 540_000,
    });
    expect(told(life(0, 0), [])).toEqual({ boot: 12_000 });
  });

  it('has a share for each day, by UTC', () => {
    const shares = sharesOf(life(0, 24 * hour), [guest('a', 0, 24 * hour)]);
    expect(shares.map((s) => [new Date(s.day).toISOString().slice(0, 10), s.microUsd, s.machineMs])).toEqual([
      ['2026-11-02', 14 * 720_000, 14 * hour],
      ['2026-11-03', 10 * 720_000, 10 * hour],
    ]);
  });

  it('counts a pod that outlives it, or was there before, for what it was there', () => {
    expect(told(life(0, hour), [guest('a', -hour, 3 * hour), guest('b', 2 * hour, 3 * hour)])).toEqual({
      a: 720_000,
    });
  });

  it('without a price is not known, and its time is', () => {
    expect(sharesOf(life(0, hour, { perHour: undefined }), [guest('a', 0, hour)])).toMatchObject([
      { burst: 'a', microUsd: undefined, machineMs: hour },
    ]);
  });

  it('gives what is left over by rounding to the largest share', () => {
    expect(split(10, [1n, 1n, 1n])).toEqual([4, 3, 3]);
    expect(split(11, [1n, 5n, 1n])).toEqual([1, 9, 1]);
    expect(split(3, [0n, 0n])).toEqual([3, 0]);
  });

  it('is the sum of its shares to the micro-dollar and the millisecond, whatever was on it', () => {
    const time = fc.integer({ min: 0, max: 4 * 24 * hour });
    const needs = fc.record({
      cpuMillis: fc.integer({ min: 0, max: 20_000 }),
      memoryBytes: fc.integer({ min: 0, max: 40 * GiB }),
      extended: fc.constantFrom({}, { 'nvidia.com/gpu': 1 }, { 'example.org/fpga': 1 }),
    });
    const guests = fc.array(fc.record({ n: fc.nat(5), needs, at: time, forMs: time }), { maxLength: 12 });
    fc.assert(
      fc.property(time, fc.integer({ min: 1, max: 50_000_000 }), guests, (ms, perHour, list) => {
        const l = life(0, ms, { perHour });
        const on = list.map((g) => guest(`b${g.n}`, g.at, g.at + g.forMs, g.needs));
        const shares = sharesOf(l, on);
        const sum = (of: 'microUsd' | 'machineMs') => shares.reduce((a, s) => a + (s[of] ?? Number.NaN), 0);
        expect(sum('microUsd')).toBe(costOfLife(l));
        expect(sum('machineMs')).toBe(billedSeconds(l) * 1000);
        expect(shares.every((s) => (s.microUsd ?? -1) >= 0 && s.machineMs >= 0)).toBe(true);
        // Nobody pays for a moment at which it was not there.
        for (const s of shares) expect(s.from >= l.from && s.until <= l.until).toBe(true);
        for (const s of shares.filter((x) => x.burst !== undefined))
          expect(on.some((g) => g.burst === s.burst && g.from < s.until && g.until > s.from)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});
