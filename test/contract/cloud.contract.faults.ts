/** What a CloudPort says when there is no capacity, too much asked, or no answer. */
import { describe, expect, test } from 'vitest';
import { faultOf } from '../../src/domain/fault.ts';
import { cloudId } from '../../src/domain/ids.ts';
import { type CloudCase, expectFault } from './cloud.cases.ts';

export function faultCases(c: CloudCase): void {
  // Whoever is only asked never says no: that nobody brings anything has a case of its own (cloud.external.test.ts).
  if (c.kind !== 'external')
    test('no capacity is no_capacity, says whose, and leaves nothing', async () => {
      await c.cloud.fault('no-capacity', true);
      const t = c.token();
      const error = await expectFault(c.port.launch(c.spec, t), 'no_capacity');
      for (const type of c.spec.types) expect(error.message).toContain(type);
      await c.cloud.fault('no-capacity', false);
      expect(await c.under(t)).toEqual([]);
      // EC2 answers under a spent token as it did; so a launch has a new one.
      await c.port.launch(c.spec, c.token());
    });

  describe('throttling', () => {
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
      // A call on a connection that is just being cut does not know whether it was heard; of those there must be none left.
      await c.cloud.eventually(() =>
        c.port.list().then(
          () => false,
          (e: unknown) => faultOf(e) === 'unreachable',
        ),
      );
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
      const before = new Set((await c.port.list()).map(({ id }) => id));
      const fresh = async () =>
        (await c.port.list()).filter(({ id, state }) => !before.has(id) && state !== 'terminated');
      await c.cloud.fault('lost-answer', true);
      await expectFault(c.port.launch(c.spec, t), 'unknown');
      await c.cloud.fault('lost-answer', false);
      await c.cloud.eventually(async () => (await fresh()).length === 1);
      const [there] = await fresh();
      // A member of a group gets its token only once the answer was heard.
      if (c.kind !== 'grouped') expect(there?.token).toBe(t);
      expect((await c.port.launch(c.spec, t)).id).toBe(there?.id);
      await c.seen(t);
      expect(await fresh()).toHaveLength(1);
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
      await c.cloud.fault('lost-answer', false);
      await c.ends(id);
    });
  });
}
