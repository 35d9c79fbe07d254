/** What a CloudPort tells of spot: what it costs and did cost, what is not paid any more, and what is taken back. */
import { describe, expect, test } from 'vitest';
import { type Instant, instant } from '../../src/domain/ids.ts';
import type { SpotPrice } from '../../src/domain/instance.ts';
import { type CloudCase, expectFault } from './cloud.cases.ts';

export function spotCases(c: CloudCase): void {
  const spot = () => ({ ...c.spec, capacityType: 'spot' as const });
  const first = () => ({ type: c.spec.types[0] ?? '', zone: c.spec.zones[0] ?? '' });
  const hourAgo = async (): Promise<Instant> => {
    // By the cloud's own clock, which may be another than ours.
    const { launchedAt } = await c.port.launch(c.spec, c.token());
    return instant(launchedAt - 3_600_000);
  };
  const pools = (prices: readonly SpotPrice[]) =>
    new Set(prices.map(({ type, zone }) => `${type} ${zone}`)).size;

  describe('spot prices', () => {
    test('are told for every type and zone, as they held at the time that was asked for', async () => {
      const from = await hourAgo();
      const prices = await c.port.spotPrices(c.spec.types, c.spec.zones, from);
      expect(pools(prices)).toBe(c.spec.types.length * c.spec.zones.length);
      for (const { from: since, microUsd } of prices) {
        expect(since).toBeLessThanOrEqual(from);
        expect(microUsd).toBeGreaterThan(0);
      }
    });

    test('are told as they changed, through all pages, and of what was asked for alone', async () => {
      const from = await hourAgo();
      const steps = Array.from({ length: 7 }, (_, i) => 10_000 + i);
      for (const microUsd of steps) await c.cloud.price({}, microUsd);
      const { type, zone } = first();
      const all = await c.port.spotPrices(c.spec.types, c.spec.zones, from);
      expect(all).toHaveLength((1 + steps.length) * c.spec.types.length * c.spec.zones.length);
      const one = await c.port.spotPrices([type], [zone], from);
      expect(pools(one)).toBe(1);
      const changed = one.filter((p) => p.from > from).sort((a, b) => a.from - b.from);
      expect(changed.map(({ microUsd }) => microUsd)).toEqual(steps);
      const last = changed.at(-1)?.from ?? from;
      expect(await c.port.spotPrices([type], [zone], last)).toEqual([
        { type, zone, microUsd: 10_006, from: last },
      ]);
    });

    test('of nothing are none, and are not told without rights or when the account is throttled', async () => {
      const from = await hourAgo();
      expect(await c.port.spotPrices([], c.spec.zones, from)).toEqual([]);
      await c.cloud.fault('unauthorized', true);
      await expectFault(c.port.spotPrices(c.spec.types, c.spec.zones, from), 'refused');
      await c.cloud.fault('unauthorized', false);
      await c.cloud.fault('throttle', true);
      await expectFault(c.port.spotPrices(c.spec.types, c.spec.zones, from), 'throttled');
      await expectFault(c.port.interruptions(), 'throttled');
    });
  });

  describe('a spot launch', () => {
    test('pays no more than it says: beyond that there is no capacity', async () => {
      const { type } = first();
      await c.cloud.price({}, 20_000);
      const most = (microUsd: number) => ({ ...spot(), types: [type], maxPrices: { [type]: microUsd } });
      const error = await expectFault(c.port.launch(most(19_999), c.token()), 'no_capacity');
      expect(error.message).toContain('SpotMaxPriceTooLow');
      expect((await c.port.launch(most(20_000), c.token())).capacityType).toBe('spot');
    });

    test('does not come from what it is to go without', async () => {
      const { type, zone } = first();
      const without = c.spec.types
        .flatMap((t) => c.spec.zones.map((z) => ({ type: t, zone: z })))
        .filter((pool) => pool.type !== type || pool.zone === zone);
      const made = await c.port.launch({ ...spot(), without }, c.token());
      expect(made).toMatchObject({ type, capacityType: 'spot' });
      expect(made.zone).not.toBe(zone);
    });
  });

  describe('what is taken back', () => {
    test('is told ahead, then ends by itself, and the list says why', async () => {
      const t = c.token();
      const { id } = await c.port.launch(spot(), t);
      const { id: stays } = await c.port.launch(spot(), c.token());
      await c.cloud.eventually(async () => (await c.find(id))?.state === 'running');
      expect(await c.port.interruptions()).not.toContain(id);
      await c.cloud.reclaim(id);
      await c.cloud.eventually(async () => (await c.port.interruptions()).includes(id));
      expect((await c.find(id))?.state).not.toBe('terminated');
      await c.ends(id);
      expect((await c.find(id))?.reclaimed).toBe(true);
      await c.cloud.eventually(async () => !(await c.port.interruptions()).includes(id));
      expect(await c.port.interruptions()).not.toContain(stays);
    });

    test('is not what we terminate ourselves', async () => {
      const t = c.token();
      const { id } = await c.port.launch(spot(), t);
      await c.seen(t);
      await c.port.terminate(id);
      await c.ends(id);
      expect((await c.find(id))?.reclaimed).not.toBe(true);
    });

    test('is what a price above the most that is paid takes', async () => {
      const { type } = first();
      const maxPrices = { [type]: 90_000 };
      const { id } = await c.port.launch({ ...spot(), types: [type], maxPrices }, c.token());
      await c.cloud.eventually(async () => (await c.find(id))?.state === 'running');
      await c.cloud.price({ type }, 90_001);
      await c.cloud.eventually(async () => (await c.port.interruptions()).includes(id));
    });
  });
}
