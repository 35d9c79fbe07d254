/** What a CloudPort does of which several instances are asked for by one call. */
import { describe, expect, test } from 'vitest';
import type { LaunchSpec } from '../../src/domain/instance.ts';
import type { LaunchedLot } from '../../src/ports.ts';
import { subnetIn } from '../../src/sim/models/cloud-types.ts';
import { type CloudCase, expectFault } from './cloud.cases.ts';

export function lotCases(c: CloudCase): void {
  const lot = (count: number, token = c.token(), spec: LaunchSpec = c.spec): Promise<LaunchedLot> => {
    if (c.port.launchLot === undefined) throw new Error('it launches no lots');
    return c.port.launchLot(spec, token, count);
  };
  const idsOf = ({ made }: LaunchedLot) => made.map(({ id }) => id).sort();

  describe('launch of several by one call', () => {
    test('makes as many as were asked for, all under the one token', async () => {
      const t = c.token();
      const { made, short } = await lot(5, t);
      expect(new Set(made.map(({ id }) => id)).size).toBe(5);
      expect(short).toBeUndefined();
      for (const one of made) {
        expect(one).toMatchObject({ state: 'pending', token: t, capacityType: 'on-demand', missed: [] });
        expect(c.spec.zones).toContain(one.zone);
      }
      await c.seen(t, 5);
      for (const one of await c.under(t)) expect(one.tags).toMatchObject(c.spec.tags);
    });

    test('repeated, also three times at once, makes no other', async () => {
      const t = c.token();
      const [first, ...again] = await Promise.all([lot(3, t), lot(3, t), lot(3, t)]);
      for (const one of [...again, await lot(3, t)]) expect(idsOf(one)).toEqual(first && idsOf(first));
      await c.seen(t, 3);
    });

    test('with a used token and another count is invalid and makes nothing', async () => {
      const t = c.token();
      await lot(2, t);
      await expectFault(lot(3, t), 'invalid');
      await c.seen(t, 2);
    });

    test('whose answer is lost is unknown, and the same is found again', async () => {
      const t = c.token();
      await c.cloud.fault('lost-answer', true);
      await expectFault(lot(3, t), 'unknown');
      await c.cloud.fault('lost-answer', false);
      const found = await lot(3, t);
      expect(found.made).toHaveLength(3);
      await c.seen(t, 3);
    });

    test('goes over to the next offers where one has not enough for all', async () => {
      const [zone = '', other = ''] = c.spec.zones;
      const [type = ''] = c.spec.types;
      await c.cloud.limit({}, { atMost: 0 });
      await c.cloud.limit({ type, zone }, { atMost: 2 });
      await c.cloud.limit({ type, zone: other }, { atMost: 5 });
      const { made, short } = await lot(4);
      expect(made.map((m) => m.zone).sort()).toEqual([zone, zone, other, other].sort());
      expect(short).toBeUndefined();
      expect(made[0]?.missed).toEqual([{ type, zone, why: 'none' }]);
    });

    test('makes what there is where that is less, and tells why; again under its token it says the same', async () => {
      const [zone = ''] = c.spec.zones;
      const [type = ''] = c.spec.types;
      await c.cloud.limit({}, { atMost: 0 });
      await c.cloud.limit({ type, zone }, { atMost: 2 });
      const t = c.token();
      const first = await lot(5, t);
      expect(first.made).toHaveLength(2);
      expect(first.short?.fault).toBe('no_capacity');
      expect(first.short?.message).toContain('InsufficientInstanceCapacity');
      expect(first.short?.missed).toContainEqual({ type, zone, why: 'none' });
      await c.cloud.heal();
      const again = await lot(5, t);
      expect(idsOf(again)).toEqual(idsOf(first));
      expect(again.short?.fault).toBe('no_capacity');
      await c.seen(t, 2);
    });

    test('of nothing is no_capacity, and leaves nothing', async () => {
      await c.cloud.fault('no-capacity', true);
      const t = c.token();
      await expectFault(lot(4, t), 'no_capacity');
      await c.cloud.fault('no-capacity', false);
      expect(await c.under(t)).toEqual([]);
    });

    test("beyond the account's quota makes nothing and says which it is; fewer come under another token", async () => {
      await c.cloud.limit({}, { code: 'VcpuLimitExceeded' });
      const t = c.token();
      const { missed = [] } = await expectFault(lot(4, t), 'no_capacity');
      expect([...new Set(missed.map(({ why }) => why))]).toEqual(['quota']);
      await c.cloud.heal();
      expect(await c.under(t)).toEqual([]);
      expect((await lot(2)).made).toHaveLength(2);
    });

    test("beyond the account's quota and refused as a whole call says it of every offer; fewer come under another token", async () => {
      await c.cloud.limit({}, { atMost: 2, code: 'VcpuLimitExceeded', whole: true });
      const t = c.token();
      const { missed = [] } = await expectFault(lot(4, t), 'no_capacity');
      const asked = c.spec.types.flatMap((type) => c.spec.zones.map((zone) => ({ type, zone })));
      expect(missed).toEqual(asked.map((pool) => ({ ...pool, why: 'quota' })));
      expect(await c.under(t)).toEqual([]);
      expect((await lot(2)).made).toHaveLength(2);
    });

    test('for more than there is and refused as a whole call is as one beyond a quota, of the offers that it did not leave out', async () => {
      await c.cloud.limit({}, { atMost: 0, code: 'InsufficientInstanceCapacity', whole: true });
      const [type = '', other = ''] = c.spec.types;
      const [zone = '', far = ''] = c.spec.zones;
      const without = [
        { type, zone },
        { type: other, zone: far },
      ];
      const { missed } = await expectFault(lot(3, c.token(), { ...c.spec, without }), 'no_capacity');
      expect(missed).toEqual([
        { type, zone: far, why: 'quota' },
        { type: other, zone, why: 'quota' },
      ]);
    });

    test('that is throttled as a whole call, or refused for what fewer would not help, says nothing of any offer', async () => {
      await c.cloud.limit({}, { code: 'RequestLimitExceeded', whole: true });
      expect((await expectFault(lot(3), 'throttled')).missed).toBeUndefined();
      await c.cloud.limit({}, { code: 'MaxFleetCountExceeded', whole: true });
      expect((await expectFault(lot(3), 'no_capacity')).missed).toBeUndefined();
    });

    test('that is throttled on its way has what came before', async () => {
      const [zone = '', other = ''] = c.spec.zones;
      const [type = ''] = c.spec.types;
      await c.cloud.limit({}, { atMost: 0 });
      await c.cloud.limit({ type, zone }, { atMost: 1 });
      await c.cloud.limit({ type, zone: other }, { code: 'RequestLimitExceeded' });
      const { made, short } = await lot(3);
      expect(made).toHaveLength(1);
      expect(short?.fault).toBe('throttled');
    });
  });

  describe('subnets', () => {
    const own = () => Object.fromEntries(c.spec.zones.map((zone) => [zone, subnetIn(zone)]));

    test('take the instances, and an offer that is missed is told by its zone', async () => {
      const [type = ''] = c.spec.types;
      const [zone = '', other = ''] = c.spec.zones;
      await c.cloud.limit({ type, zone }, { code: 'InsufficientFreeAddressesInSubnet' });
      const made = await c.port.launch({ ...c.spec, types: [type], subnets: own() }, c.token());
      expect(made).toMatchObject({ zone: other, missed: [{ type, zone, why: 'full' }] });
    });

    test('are told: zone, VPC and how many addresses are free', async () => {
      const told = (await c.port.subnets?.(Object.values(own()))) ?? [];
      expect(Object.fromEntries(told.map(({ zone, id }) => [zone, id]))).toEqual(own());
      expect(new Set(told.map(({ vpc }) => vpc)).size).toBe(1);
      for (const { free } of told) expect(free).toBeGreaterThan(0);
    });

    test('of which one is not there are refused', async () => {
      const [zone = ''] = c.spec.zones;
      const wrong = { ...own(), [zone]: 'subnet-0123456789abcdef0' };
      const t = c.token();
      await expectFault(c.port.launch({ ...c.spec, subnets: wrong }, t), 'refused');
      expect(await c.under(t)).toEqual([]);
      const error = await expectFault(c.port.subnets?.(Object.values(wrong)) ?? Promise.resolve(), 'refused');
      expect(error.message).toContain(wrong[zone]);
    });

    test('under a used token must be the same', async () => {
      const t = c.token();
      await c.port.launch({ ...c.spec, subnets: own() }, t);
      await expectFault(c.port.launch(c.spec, t), 'invalid');
    });
  });

  describe('placement groups', () => {
    test('an instance may be put into one that is there', async () => {
      const near = { ...c.spec, zones: c.spec.zones.slice(0, 1), placementGroup: 'near' };
      await c.port.check(near);
      expect((await lot(2, c.token(), near)).made).toHaveLength(2);
    });

    test('check refuses one that does not put instances near each other', async () => {
      const apart = { ...c.spec, zones: c.spec.zones.slice(0, 1), placementGroup: 'apart' };
      expect((await expectFault(c.port.check(apart), 'refused')).message).toContain('strategy spread');
    });

    test('one that is not there is refused, and named by check', async () => {
      const far = { ...c.spec, placementGroup: 'no-such' };
      await expectFault(lot(2, c.token(), far), 'refused');
      expect((await expectFault(c.port.check(far), 'refused')).message).toContain('no-such');
    });
  });
}
