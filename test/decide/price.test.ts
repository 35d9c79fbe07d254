import { describe, expect, it } from 'vitest';
import { priceOf, spentBy } from '../../src/decide/price.ts';
import type { Price } from '../../src/decide/priced.ts';
import type { OfferedGroup } from '../../src/decide/rule.ts';
import { instant } from '../../src/domain/ids.ts';
import { periodStart } from '../../src/domain/money.ts';
import { GiB, type Resources } from '../../src/domain/resources.ts';

const offered: OfferedGroup = {
  group: {
    name: 'cpu',
    launchTemplate: 't',
    types: ['small', 'big'],
    zones: ['a'],
    vcpuPerCpu: 1,
    overhead: { cpuMillis: 0, memoryBytes: 0, extended: {} },
    capacityType: 'on-demand',
    max: 4,
    idleMs: 1,
    joinTimeoutMs: 1,
    lostAfterMs: 1,
    prices: { small: 1_000_000, big: 3_000_000 },
    taint: { key: 'k', value: 'v', effect: 'NoSchedule' },
  },
  types: [
    { name: 'small', vcpus: 4, memoryBytes: 16 * GiB, gpus: 0 },
    { name: 'big', vcpus: 8, memoryBytes: 32 * GiB, gpus: 0 },
  ],
};
const hour = 3_600_000;
const half = { cpuMillis: 2_000, memoryBytes: GiB, extended: {} };

function known(needs: Resources, limitMs: number, marginMs?: number): Price {
  const priced = priceOf(needs, limitMs, offered, marginMs);
  if (priced.kind !== 'known') throw new Error(priced.why);
  return priced.price;
}

describe('the price of a burst', () => {
  it('is at most its share of the dearest type that may come, for its limit and ten minutes', () => {
    // Half of small (0.5 USD an hour), a quarter of big (0.75): 1 h 10 min of the latter.
    expect(known(half, hour)).toEqual({ held: 875_000, rates: { small: 500_000, big: 750_000 } });
  });

  it('holds for as long beyond the limit as the site says', () => {
    expect(known(half, hour, hour).held).toBe(1_500_000);
  });

  it('goes by memory where that is the larger share', () => {
    const memory = { cpuMillis: 100, memoryBytes: 16 * GiB, extended: {} };
    expect(known(memory, hour).rates).toEqual({ small: 1_000_000, big: 1_500_000 });
  });

  it('is not known without a limit, without a type that fits, or where one that may come has no price', () => {
    expect(priceOf(half, 'unlimited', offered)).toEqual({
      kind: 'unknown',
      why: 'it has no time limit of its own',
    });
    expect(priceOf({ ...half, cpuMillis: 9_000 }, hour, offered)).toEqual({
      kind: 'unknown',
      why: `no type of node group ${offered.group.name} holds it`,
    });
    const group = { ...offered.group, prices: { small: 1_000_000 } };
    expect(priceOf(half, hour, { ...offered, group })).toEqual({
      kind: 'unknown',
      why: `no price is configured for big of node group ${offered.group.name}`,
    });
  });

  it('is in the end what it ran for on what it ran on, and nothing if it never ran', () => {
    const price = { held: 875_000, rates: { small: 500_000, big: 750_000 } };
    const ran = { price, machine: 'small', startedAt: instant(0), endedAt: instant(hour / 2) };
    expect(spentBy(ran, hour)).toBe(250_000);
    expect(spentBy({ ...ran, endedAt: undefined }, hour)).toBe(500_000);
    expect(spentBy({ ...ran, machine: undefined }, hour)).toBe(375_000);
    expect(spentBy({ ...ran, startedAt: undefined }, hour)).toBe(0);
  });
});

describe('a budget’s period', () => {
  const at = instant(Date.UTC(2026, 10, 26, 13, 5));
  it.each([
    ['day', Date.UTC(2026, 10, 26)],
    ['week', Date.UTC(2026, 10, 23)],
    ['month', Date.UTC(2026, 10, 1)],
    ['total', 0],
  ] as const)('%s', (per, start) => {
    expect(periodStart(per, at)).toBe(start);
    expect(periodStart(per, instant(start))).toBe(start);
  });
});
