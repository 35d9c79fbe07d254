/** What each call of a CloudPort does when nothing is wrong with the cloud. */
import { describe, expect, test } from 'vitest';
import { cloudId, launchToken } from '../../src/domain/ids.ts';
import { type CloudCase, expectFault, tolerant } from './cloud.cases.ts';

export function callCases(c: CloudCase): void {
  describe('launch', () => {
    test('answers with one instance of an offer that was asked for', async () => {
      const t = c.token();
      const made = await c.port.launch(c.spec, t);
      expect(c.spec.types).toContain(made.type);
      expect(made).toMatchObject({ capacityType: 'on-demand', token: t });
      expect(['pending', 'running']).toContain(made.state);
    });

    test('tags what it makes with cluster, group, token and what else was asked for', async () => {
      const t = c.token();
      const { id } = await c.port.launch(
        { ...c.spec, tags: { 'spillway.dev/generation': 'g1', team: 'ä & <b>' } },
        t,
      );
      await c.seen(t);
      expect((await c.find(id))?.tags).toMatchObject({
        'spillway.dev/cluster': expect.any(String),
        'spillway.dev/group': c.spec.group,
        'spillway.dev/token': t,
        'spillway.dev/generation': 'g1',
        team: 'ä & <b>',
      });
    });

    test('repeated with the same token, answers with the same instance and makes no other', async () => {
      const t = c.token();
      const first = await c.port.launch(c.spec, t);
      const again = await c.port.launch(c.spec, t);
      expect(again.id).toBe(first.id);
      expect(again.zone).toBe(first.zone);
      await c.seen(t);
    });

    test('of ten tokens, each three times at once, makes ten', async () => {
      const tokens = Array.from({ length: 10 }, c.token);
      const ids = await Promise.all(
        tokens.flatMap((t) => [t, t, t]).map(async (t) => (await c.port.launch(c.spec, t)).id),
      );
      expect(new Set(ids).size).toBe(10);
      await c.cloud.eventually(
        async () => (await c.port.list()).filter(({ id }) => ids.includes(id)).length === 10,
      );
    });

    test('misses nothing where the first offer serves', async () => {
      expect((await c.port.launch(c.spec, c.token())).missed ?? []).toEqual([]);
    });

    // Auto Scaling is told of a zone and nothing else, so it can compare nothing else: it has a case of its own (cloud.asg.test.ts).
    if (c.kind !== 'grouped')
      test('with a used token and other parameters is invalid and makes nothing', async () => {
        const t = c.token();
        await c.port.launch(c.spec, t);
        await expectFault(c.port.launch({ ...c.spec, tags: { other: 'yes' } }, t), 'invalid');
        await c.seen(t);
      });

    test('with a token too long for the cloud is invalid', async () => {
      await expectFault(c.port.launch(c.spec, launchToken('x'.repeat(65))), 'invalid');
    });

    test('repeated after its instance was terminated does not launch another', async () => {
      const t = c.token();
      const { id } = await c.port.launch(c.spec, t);
      await c.seen(t);
      await c.port.terminate(id);
      expect((await c.port.launch(c.spec, t)).id).toBe(id);
    });
  });

  describe('list', () => {
    test("does not show another cluster's", async () => {
      const t = c.token();
      const { id } = await c.other.launch(c.spec, t);
      await c.cloud.eventually(async () => (await c.other.list()).some((one) => one.id === id));
      expect(await c.find(id)).toBeUndefined();
    });
  });

  describe('terminate', () => {
    test('ends the instance, which stays in sight as terminated, and no other', async () => {
      const [t, u] = [c.token(), c.token()];
      const { id } = await c.port.launch(c.spec, t);
      const { id: stays } = await c.port.launch(c.spec, u);
      await c.seen(t);
      await c.seen(u);
      await c.port.terminate(id);
      await c.ends(id);
      expect((await c.find(id))?.token).toBe(t);
      expect(['pending', 'running']).toContain((await c.find(stays))?.state);
    });

    test('twice is fine, also when all is over', async () => {
      const t = c.token();
      const { id } = await c.port.launch(c.spec, t);
      await c.seen(t);
      await c.port.terminate(id);
      await tolerant(c.port.terminate(id));
      await c.ends(id);
      await c.port.terminate(id);
      await c.ends(id);
    });

    test('of what the cloud does not know is not_found', async () => {
      await expectFault(c.port.terminate(cloudId('i-0123456789abcdef0')), 'not_found');
    });
  });

  describe('types and check', () => {
    test('types have their figures, also when asked again', async () => {
      for (const _ of [1, 2])
        expect(await c.port.types(c.cloud.types.map((one) => one.name))).toEqual(
          c.cloud.types.map((one) => expect.objectContaining({ ...one, gpus: 0 })),
        );
    });

    test('a type that is not there is refused', async () => {
      const error = await expectFault(c.port.types(['no.such']), 'refused');
      expect(error.message).toContain('no.such');
    });

    test('check is content with what can be launched, and launches nothing', async () => {
      const before = (await c.port.list()).length;
      await c.port.check(c.spec);
      expect(await c.port.list()).toHaveLength(before);
    });

    test('rights that are missing are refused', async () => {
      await c.cloud.fault('unauthorized', true);
      await expectFault(c.port.check(c.spec), 'refused');
      await expectFault(c.port.launch(c.spec, c.token()), 'refused');
      await expectFault(c.port.list(), 'refused');
    });
  });
}
