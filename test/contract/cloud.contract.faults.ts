/** What a CloudPort says when there is no capacity, too much asked, or no answer. */
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

export function faultCases(c: CloudCase): void {
  describe('capacity', () => {
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

  describe('throttling', () => {
    test('of every offer inside a good answer is throttled, not no_capacity', async () => {
      await c.cloud.fault('throttle-launches', true);
      await expectFault(c.port.launch(c.spec, c.token()), 'throttled');
    });

    test('of one offer while the others have nothing is throttled', async () => {
      await c.cloud.limit({}, { atMost: 0 });
      await c.cloud.limit({ zone: c.spec.zones[1] ?? '' }, { code: 'RequestLimitExceeded' });
      await expectFault(c.port.launch(c.spec, c.token()), 'throttled');
    });

    test('of the whole account is throttled for every call, and passes', async () => {
      await c.cloud.fault('throttle', true);
      const t = c.token();
      await expectFault(c.port.launch(c.spec, t), 'throttled');
      await expectFault(c.port.list(), 'throttled');
      await c.cloud.fault('throttle', false);
      await c.port.launch(c.spec, t);
      await c.seen(t);
    });
  });

  describe('no answer', () => {
    test('a cloud that is away is unreachable, for every call, and comes back', async () => {
      await c.cloud.fault('api-down', true);
      const t = c.token();
      await expectFault(c.port.launch(c.spec, t), 'unreachable');
      await expectFault(c.port.list(), 'unreachable');
      await expectFault(c.port.terminate(cloudId('i-0123456789abcdef0')), 'unreachable');
      await c.cloud.fault('api-down', false);
      expect(await c.under(t)).toEqual([]);
      await c.port.launch(c.spec, t);
      await c.seen(t);
    });

    test('a launch whose answer is lost is unknown, and its repeat finds the instance', async () => {
      const t = c.token();
      await c.cloud.fault('lost-answer', true);
      await expectFault(c.port.launch(c.spec, t), 'unknown');
      await c.cloud.fault('lost-answer', false);
      await c.seen(t);
      const [there] = await c.under(t);
      expect((await c.port.launch(c.spec, t)).id).toBe(there?.id);
      await c.seen(t);
    });

    test('a launch whose request is lost is unknown, and its repeat makes the one instance', async () => {
      const t = c.token();
      await c.cloud.fault('lost-request', true);
      await expectFault(c.port.launch(c.spec, t), 'unknown');
      await c.cloud.fault('lost-request', false);
      await c.port.launch(c.spec, t);
      await c.seen(t);
    });

    test('a termination whose answer is lost is unknown, and happens', async () => {
      const t = c.token();
      const { id } = await c.port.launch(c.spec, t);
      await c.seen(t);
      await c.cloud.fault('lost-answer', true);
      await expectFault(c.port.terminate(id), 'unknown');
      await expectFault(c.port.list(), 'transient');
      await c.cloud.fault('lost-answer', false);
      await c.ends(id);
    });
  });
}
