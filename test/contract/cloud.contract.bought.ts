/** What a CloudPort does whose instances are bought: offers, launch templates, spot, and a list that may be late. */
import { describe, expect, test } from 'vitest';
import { cloudId } from '../../src/domain/ids.ts';
import { type CloudCase, expectFault } from './cloud.cases.ts';

const noCapacityCodes = [
  'InsufficientInstanceCapacity',
  'MaxSpotInstanceCountExceeded',
  'VcpuLimitExceeded',
  'UnfulfillableCapacity',
  'Unsupported',
  'InvalidFleetConfiguration',
  'InsufficientFreeAddressesInSubnet',
  'MaxFleetCountExceeded',
  'ReservationCapacityExceeded',
];

export function boughtCases(c: CloudCase): void {
  describe('console', () => {
    test('tells what a machine wrote once it runs, and nothing before', async () => {
      const t = c.token();
      const { id } = await c.port.launch(c.spec, t);
      await c.seen(t);
      await c.cloud.eventually(async () => (await c.port.console(id)) !== undefined);
      expect((await c.port.console(id))?.length).toBeGreaterThan(0);
      // What is listed may be a moment old.
      await c.cloud.eventually(async () => (await c.find(id))?.state === 'running');
    });

    test('of an instance that nobody knows is not_found', async () => {
      await expectFault(c.port.console(cloudId('i-0123456789abcdef0')), 'not_found');
    });
  });

  describe('launch of what is bought', () => {
    test('answers with an id of EC2 and a zone that was asked for, while it boots', async () => {
      const made = await c.port.launch(c.spec, c.token());
      expect(made.id).toMatch(/^i-[0-9a-f]{17}$/);
      expect(c.spec.zones).toContain(made.zone);
      expect(made.state).toBe('pending');
    });

    test('takes the cheapest on demand', async () => {
      expect((await c.port.launch(c.spec, c.token())).type).toBe(c.spec.types[0]);
    });

    test('with a used token and the types in another order is invalid and makes nothing', async () => {
      const t = c.token();
      await c.port.launch(c.spec, t);
      await expectFault(c.port.launch({ ...c.spec, types: [...c.spec.types].reverse() }, t), 'invalid');
      await c.seen(t);
    });

    test('says of itself that it missed nothing where the first offer served', async () => {
      expect((await c.port.launch(c.spec, c.token())).missed).toEqual([]);
    });

    test('from a template that is not there is refused', async () => {
      await expectFault(c.port.launch({ ...c.spec, launchTemplate: 'no-such' }, c.token()), 'refused');
    });

    test('of spot is shown as spot', async () => {
      const t = c.token();
      const made = await c.port.launch({ ...c.spec, capacityType: 'spot' }, t);
      expect(made.capacityType).toBe('spot');
      await c.seen(t);
      expect((await c.find(made.id))?.capacityType).toBe('spot');
    });
  });

  describe('list of what was bought', () => {
    test('shows a machine with its own DNS name, and that it runs', async () => {
      const made = [await c.port.launch(c.spec, c.token()), await c.port.launch(c.spec, c.token())];
      await c.cloud.eventually(async () => {
        const found = (await c.port.list()).filter(({ id }) => made.some((one) => one.id === id));
        return found.length === 2 && found.every(({ state }) => state === 'running');
      });
      const found = (await c.port.list()).filter(({ id }) => made.some((one) => one.id === id));
      expect(new Set(found.map(({ privateDnsName }) => privateDnsName)).size).toBe(2);
      for (const one of found) {
        expect(one.privateDnsName).toMatch(/^ip-[0-9-]+/);
        expect(one.zone).toBe(made.find(({ id }) => id === one.id)?.zone);
        expect(Math.abs(one.launchedAt - (made[0]?.launchedAt ?? 0))).toBeLessThan(60_000);
      }
    });

    test('goes through all pages', async () => {
      const ids = await Promise.all(
        Array.from({ length: 12 }, async () => (await c.port.launch(c.spec, c.token())).id),
      );
      await c.cloud.eventually(async () => {
        const shown = (await c.port.list()).map(({ id }) => id);
        expect(new Set(shown).size).toBe(shown.length);
        return ids.every((id) => shown.includes(id));
      });
    });

    test('may be late: what was launched comes into sight after a while', async () => {
      await c.cloud.fault('slow-consistency', true);
      const t = c.token();
      await c.port.launch(c.spec, t);
      expect(await c.under(t)).toEqual([]);
      await c.cloud.fault('slow-consistency', false);
      await c.seen(t);
    });
  });

  describe('templates and check', () => {
    test.each([
      { what: 'template', wrong: { launchTemplate: 'no-such' } },
      { what: 'type', wrong: { types: ['no.such'] } },
      { what: 'zone', wrong: { zones: ['no-such-1z'] } },
    ])('check names a $what that is not there', async ({ wrong }) => {
      const error = await expectFault(c.port.check({ ...c.spec, ...wrong }), 'refused');
      expect(error.message).toContain(Object.values(wrong).flat()[0]);
    });

    test('a template says what becomes of what powers itself off, and what runs at boot', async () => {
      const found = await c.port.template(c.spec.launchTemplate);
      expect(found).toEqual({ shutdown: 'terminate', userData: expect.stringMatching(/^\{.*\}$/s) });
      const error = await expectFault(c.port.template('no-such'), 'refused');
      expect(error.message).toContain('no-such');
    });
  });

  describe('offers', () => {
    test('none anywhere is no_capacity, says which offers, and leaves nothing', async () => {
      await c.cloud.fault('no-capacity', true);
      const t = c.token();
      const error = await expectFault(c.port.launch(c.spec, t), 'no_capacity');
      for (const part of [...c.spec.types, ...c.spec.zones, 'InsufficientInstanceCapacity'])
        expect(error.message).toContain(part);
      await c.cloud.fault('no-capacity', false);
      expect(await c.under(t)).toEqual([]);
    });

    test('none in one zone leads to the other', async () => {
      await c.cloud.limit({ zone: c.spec.zones[0] ?? '' }, { atMost: 0 });
      expect((await c.port.launch(c.spec, c.token())).zone).toBe(c.spec.zones[1]);
    });

    test('is told offer by offer, a full subnet and throttling for themselves, with an instance and without', async () => {
      const [type = '', dearer = ''] = c.spec.types;
      const [zone = '', other = ''] = c.spec.zones;
      await c.cloud.limit({ type, zone }, { atMost: 0 });
      await c.cloud.limit({ type, zone: other }, { code: 'InsufficientFreeAddressesInSubnet' });
      const made = await c.port.launch(c.spec, c.token());
      expect(made.type).toBe(dearer);
      expect(made.missed).toHaveLength(2);
      expect(made.missed).toEqual(
        expect.arrayContaining([
          { type, zone, why: 'none' },
          { type, zone: other, why: 'full' },
        ]),
      );
      await c.cloud.limit({ type: dearer }, { code: 'RequestLimitExceeded' });
      const { missed } = await expectFault(c.port.launch(c.spec, c.token()), 'throttled');
      expect(missed?.filter((m) => m.type === dearer).map((m) => m.why)).toEqual(['throttled', 'throttled']);
      expect(
        missed
          ?.filter((m) => m.type === type)
          .map((m) => m.why)
          .sort(),
      ).toEqual(['full', 'none']);
    });

    test('none of the cheaper type leads to the other', async () => {
      await c.cloud.limit({ type: c.spec.types[0] ?? '' }, { atMost: 0 });
      expect((await c.port.launch(c.spec, c.token())).type).toBe(c.spec.types[1]);
    });

    test('is told for spot and on demand apart', async () => {
      await c.cloud.limit({ capacityType: 'spot' }, { atMost: 0 });
      await expectFault(c.port.launch({ ...c.spec, capacityType: 'spot' }, c.token()), 'no_capacity');
      expect((await c.port.launch(c.spec, c.token())).capacityType).toBe('on-demand');
    });

    test.each(noCapacityCodes)('%s is no_capacity', async (code) => {
      await c.cloud.limit({}, { code });
      const error = await expectFault(c.port.launch(c.spec, c.token()), 'no_capacity');
      expect(error.message).toContain(code);
    });

    test('is taken by an instance and free again after its end', async () => {
      await c.cloud.limit({}, { atMost: 0 });
      await c.cloud.limit({ type: c.spec.types[0] ?? '', zone: c.spec.zones[0] ?? '' }, { atMost: 1 });
      const t = c.token();
      const { id } = await c.port.launch(c.spec, t);
      await expectFault(c.port.launch(c.spec, c.token()), 'no_capacity');
      await c.seen(t);
      await c.port.terminate(id);
      await c.ends(id);
      expect((await c.port.launch(c.spec, c.token())).id).not.toBe(id);
    });
  });

  describe('throttling of offers', () => {
    test('of every offer inside a good answer is throttled, not no_capacity', async () => {
      await c.cloud.fault('throttle-launches', true);
      await expectFault(c.port.launch(c.spec, c.token()), 'throttled');
    });

    test('of one offer while the others have nothing is throttled', async () => {
      await c.cloud.limit({}, { atMost: 0 });
      await c.cloud.limit({ zone: c.spec.zones[1] ?? '' }, { code: 'RequestLimitExceeded' });
      await expectFault(c.port.launch(c.spec, c.token()), 'throttled');
    });
  });
}
