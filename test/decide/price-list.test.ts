import { describe, expect, it } from 'vitest';
import { listedGroup, pricesAt } from '../../src/decide/price-list.ts';
import { type Instant, instant } from '../../src/domain/ids.ts';
import type { ListedPrice, NodeGroup } from '../../src/domain/policy.ts';
import { examinePrices } from '../../src/engine/doctor.ts';

const day = (text: string): Instant => instant(Date.parse(`${text}T00:00:00Z`));
const price = (usd: number, from: string, over: Partial<ListedPrice> = {}): ListedPrice => ({
  ...{ type: 'c7i.4xlarge', zone: undefined, capacityType: 'on-demand', microUsd: usd * 1_000_000 },
  ...{ from: day(from), ...over },
});
const group: NodeGroup = {
  ...{ name: 'cpu', launchTemplate: 't', types: ['c7i.4xlarge', 'm7i.4xlarge'], zones: ['a', 'b'] },
  ...{ vcpuPerCpu: 2, overhead: { cpuMillis: 0, memoryBytes: 0, extended: {} }, capacityType: 'on-demand' },
  ...{ max: 1, idleMs: 0, joinTimeoutMs: 0, lostAfterMs: 0 },
  taint: { key: 'k', value: 'v', effect: 'NoSchedule' },
};
const now = (list: readonly ListedPrice[], at = '2026-11-28') =>
  pricesAt(list, group, day(at))['c7i.4xlarge'];

describe('a list of prices', () => {
  it('is asked by its dates: the newest line that has begun counts', () => {
    const list = [price(0.7, '2026-01-01'), price(0.8, '2026-06-01'), price(0.9, '2026-12-01')];
    expect(now(list, '2025-12-31')).toBeUndefined();
    expect(now(list, '2026-01-01')?.microUsd).toBe(700_000);
    expect(now(list)).toEqual({ microUsd: 800_000, from: day('2026-06-01') });
    expect(now(list, '2027-01-01')?.microUsd).toBe(900_000);
    expect(now([...list].reverse())?.microUsd).toBe(800_000);
  });

  it('has the dearest zone count, and no price where a zone has none', () => {
    const a = price(0.7, '2026-01-01', { zone: 'a' });
    expect(now([a])).toBeUndefined();
    expect(now([a, price(0.9, '2026-02-01', { zone: 'b' })])).toEqual({ microUsd: 900_000, from: a.from });
    // What is of all zones stands for those without a line of their own.
    expect(now([a, price(0.5, '2026-11-01')])?.microUsd).toBe(700_000);
    expect(now([price(0.7, '2026-01-01', { capacityType: 'spot' })])).toBeUndefined();
  });

  it('is read anew whenever the group is asked, and gives way to what the group says itself', () => {
    let at = day('2026-06-01');
    const list = [
      price(0.7, '2026-01-01'),
      price(0.9, '2026-12-01'),
      price(1.2, '2026-01-01', { type: 'm7i.4xlarge' }),
    ];
    const listed = listedGroup({ ...group, prices: { 'm7i.4xlarge': 1_000_000 } }, list, () => at);
    expect(listed.prices).toEqual({ 'c7i.4xlarge': 700_000, 'm7i.4xlarge': 1_000_000 });
    at = day('2026-12-02');
    expect(listed.prices?.['c7i.4xlarge']).toBe(900_000);
    expect(listed.pricedFrom).toEqual({ 'c7i.4xlarge': day('2026-12-01') });
  });
});

describe('doctor', () => {
  const said = (list: readonly ListedPrice[], own: Record<string, number> = { 'm7i.4xlarge': 1 }) =>
    [
      ...examinePrices(
        [listedGroup({ ...group, prices: own }, list, () => day('2026-11-28'))],
        { csv: 'prices.csv', warnAfterMs: 180 * 86_400_000 },
        day('2026-11-28'),
      ),
    ].map(({ ok, text }) => `${ok ? 'ok' : 'BAD'} ${text}`);

  it('tells a type without a price, and one whose price is old', () => {
    expect(said([price(0.7, '2026-10-01')])).toEqual(['ok of 2026-10-01 or newer']);
    expect(said([price(0.7, '2026-01-01')])).toEqual(['BAD that of c7i.4xlarge is of 2026-01-01']);
    expect(said([price(0.7, '2026-12-01')])).toEqual([
      'BAD none that has begun for c7i.4xlarge in each of its zones',
    ]);
    expect(said([], { 'c7i.4xlarge': 1, 'm7i.4xlarge': 1 })).toEqual(['ok its own']);
  });
});
