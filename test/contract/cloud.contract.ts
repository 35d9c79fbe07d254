/** What every CloudPort must do, whatever stands behind it. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { PortError } from '../../src/domain/fault.ts';
import { cloudId, type LaunchToken, launchToken } from '../../src/domain/ids.ts';
import type { CloudInstance, LaunchSpec } from '../../src/domain/instance.ts';
import type { CloudPort } from '../../src/ports.ts';
import type { CloudFault, Offer, OfferRule } from '../../src/sim/models/cloud-types.ts';

export interface CloudHarness {
  readonly port: CloudPort;
  /** Another cluster's, in the same account. */
  readonly other: CloudPort;
  /** Two types, the first the cheaper, and two zones. */
  readonly spec: LaunchSpec;
  readonly types: readonly { readonly name: string; readonly vcpus: number; readonly memoryBytes: number }[];
  fault(name: CloudFault, on: boolean): Promise<void>;
  limit(match: Partial<Offer>, rule: Omit<OfferRule, 'match'>): Promise<void>;
  /** Ends every fault and limit. */
  heal(): Promise<void>;
  /** Lets time go by until the condition holds. */
  eventually(condition: () => Promise<boolean>): Promise<void>;
  close(): Promise<void>;
}

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

export function cloudContract(name: string, make: () => Promise<CloudHarness>): void {
  describe(`cloud: ${name}`, () => {
    let cloud: CloudHarness;
    let port: CloudPort;
    let other: CloudPort;
    let spec: LaunchSpec;
    let serial = 0;
    const run = Math.random().toString(36).slice(2, 8);
    const token = (): LaunchToken => launchToken(`contract-${run}-${++serial}`);

    const made = new Map<CloudPort, Set<string>>();

    /** Remembers what a case launched, so that it is not in the next one's way. */
    const noting = (one: CloudPort): CloudPort => {
      const ids = new Set<string>();
      const noted = {
        ...one,
        launch: async (...asked: Parameters<CloudPort['launch']>) => {
          const launched = await one.launch(...asked);
          ids.add(launched.id);
          return launched;
        },
      };
      made.set(noted, ids);
      return noted;
    };

    beforeAll(async () => {
      cloud = await make();
      port = noting(cloud.port);
      other = noting(cloud.other);
      spec = cloud.spec;
    });
    afterEach(async () => {
      await cloud.heal();
      for (const [one, ids] of made) {
        await cloud.eventually(async () => {
          const shown = await one.list();
          for (const { id, state } of shown) {
            if (state !== 'terminated') ids.add(id);
            if (state === 'pending' || state === 'running') await tolerant(one.terminate(id));
          }
          const over = shown.filter(({ state }) => state === 'terminated').map(({ id }) => id);
          return [...ids].every((id) => over.some((gone) => gone === id));
        });
        ids.clear();
      }
    });
    afterAll(() => cloud?.close());

    const find = async (id: CloudInstance['id']) => (await port.list()).find((one) => one.id === id);
    const under = async (t: LaunchToken) => (await port.list()).filter((one) => one.token === t);
    const seen = (t: LaunchToken, count = 1) =>
      cloud.eventually(async () => (await under(t)).length === count);
    const ends = (id: CloudInstance['id']) =>
      cloud.eventually(async () => (await find(id))?.state === 'terminated');

    describe('launch', () => {
      test('answers with one instance of an offer that was asked for', async () => {
        const t = token();
        const made = await port.launch(spec, t);
        expect(made.id).toMatch(/^i-[0-9a-f]{17}$/);
        expect(spec.types).toContain(made.type);
        expect(spec.zones).toContain(made.zone);
        expect(made).toMatchObject({ state: 'pending', capacityType: 'on-demand', token: t });
      });

      test('takes the cheapest on demand', async () => {
        expect((await port.launch(spec, token())).type).toBe(spec.types[0]);
      });

      test('tags what it makes with cluster, group, token and what else was asked for', async () => {
        const t = token();
        const { id } = await port.launch(
          { ...spec, tags: { 'spillway.dev/generation': 'g1', team: 'ä & <b>' } },
          t,
        );
        await seen(t);
        expect((await find(id))?.tags).toMatchObject({
          'spillway.dev/cluster': expect.any(String),
          'spillway.dev/group': spec.group,
          'spillway.dev/token': t,
          'spillway.dev/generation': 'g1',
          team: 'ä & <b>',
        });
      });

      test('repeated with the same token, answers with the same instance and makes no other', async () => {
        const t = token();
        const first = await port.launch(spec, t);
        const again = await port.launch(spec, t);
        expect(again.id).toBe(first.id);
        expect(again.zone).toBe(first.zone);
        await seen(t);
      });

      test('of ten tokens, each three times at once, makes ten', async () => {
        const tokens = Array.from({ length: 10 }, token);
        const ids = await Promise.all(
          tokens.flatMap((t) => [t, t, t]).map(async (t) => (await port.launch(spec, t)).id),
        );
        expect(new Set(ids).size).toBe(10);
        await cloud.eventually(
          async () => (await port.list()).filter(({ id }) => ids.includes(id)).length === 10,
        );
      });

      test('with a used token and other parameters is invalid and makes nothing', async () => {
        const t = token();
        await port.launch(spec, t);
        await expectFault(port.launch({ ...spec, types: [...spec.types].reverse() }, t), 'invalid');
        await seen(t);
      });

      test('with a token too long for the cloud is invalid', async () => {
        await expectFault(port.launch(spec, launchToken('x'.repeat(65))), 'invalid');
      });

      test('repeated after its instance was terminated does not launch another', async () => {
        const t = token();
        const { id } = await port.launch(spec, t);
        await seen(t);
        await port.terminate(id);
        expect((await port.launch(spec, t)).id).toBe(id);
      });

      test('from a template that is not there is refused', async () => {
        await expectFault(port.launch({ ...spec, launchTemplate: 'no-such' }, token()), 'refused');
      });

      test('of spot is shown as spot', async () => {
        const t = token();
        const made = await port.launch({ ...spec, capacityType: 'spot' }, t);
        expect(made.capacityType).toBe('spot');
        await seen(t);
        expect((await find(made.id))?.capacityType).toBe('spot');
      });
    });

    describe('capacity', () => {
      test('none anywhere is no_capacity, says which offers, and leaves nothing', async () => {
        await cloud.fault('no-capacity', true);
        const t = token();
        const error = await expectFault(port.launch(spec, t), 'no_capacity');
        for (const part of [...spec.types, ...spec.zones, 'InsufficientInstanceCapacity'])
          expect(error.message).toContain(part);
        await cloud.fault('no-capacity', false);
        expect(await under(t)).toEqual([]);
      });

      test('none in one zone leads to the other', async () => {
        await cloud.limit({ zone: spec.zones[0] ?? '' }, { atMost: 0 });
        expect((await port.launch(spec, token())).zone).toBe(spec.zones[1]);
      });

      test('none of the cheaper type leads to the other', async () => {
        await cloud.limit({ type: spec.types[0] ?? '' }, { atMost: 0 });
        expect((await port.launch(spec, token())).type).toBe(spec.types[1]);
      });

      test('is told for spot and on demand apart', async () => {
        await cloud.limit({ capacityType: 'spot' }, { atMost: 0 });
        await expectFault(port.launch({ ...spec, capacityType: 'spot' }, token()), 'no_capacity');
        expect((await port.launch(spec, token())).capacityType).toBe('on-demand');
      });

      test.each(noCapacityCodes)('%s is no_capacity', async (code) => {
        await cloud.limit({}, { code });
        const error = await expectFault(port.launch(spec, token()), 'no_capacity');
        expect(error.message).toContain(code);
      });

      test('is taken by an instance and free again after its end', async () => {
        await cloud.limit({}, { atMost: 0 });
        await cloud.limit({ type: spec.types[0] ?? '', zone: spec.zones[0] ?? '' }, { atMost: 1 });
        const t = token();
        const { id } = await port.launch(spec, t);
        await expectFault(port.launch(spec, token()), 'no_capacity');
        await seen(t);
        await port.terminate(id);
        await ends(id);
        expect((await port.launch(spec, token())).id).not.toBe(id);
      });
    });

    describe('throttling', () => {
      test('of every offer inside a good answer is throttled, not no_capacity', async () => {
        await cloud.fault('throttle-launches', true);
        await expectFault(port.launch(spec, token()), 'throttled');
      });

      test('of one offer while the others have nothing is throttled', async () => {
        await cloud.limit({}, { atMost: 0 });
        await cloud.limit({ zone: spec.zones[1] ?? '' }, { code: 'RequestLimitExceeded' });
        await expectFault(port.launch(spec, token()), 'throttled');
      });

      test('of the whole account is throttled for every call, and passes', async () => {
        await cloud.fault('throttle', true);
        const t = token();
        await expectFault(port.launch(spec, t), 'throttled');
        await expectFault(port.list(), 'throttled');
        await cloud.fault('throttle', false);
        await port.launch(spec, t);
        await seen(t);
      });
    });

    describe('list', () => {
      test('shows a machine with its own DNS name, and that it runs', async () => {
        const made = [await port.launch(spec, token()), await port.launch(spec, token())];
        await cloud.eventually(async () => {
          const found = (await port.list()).filter(({ id }) => made.some((one) => one.id === id));
          return found.length === 2 && found.every(({ state }) => state === 'running');
        });
        const found = (await port.list()).filter(({ id }) => made.some((one) => one.id === id));
        expect(new Set(found.map(({ privateDnsName }) => privateDnsName)).size).toBe(2);
        for (const one of found) {
          expect(one.privateDnsName).toMatch(/^ip-[0-9-]+/);
          expect(one.zone).toBe(made.find(({ id }) => id === one.id)?.zone);
          expect(Math.abs(one.launchedAt - (made[0]?.launchedAt ?? 0))).toBeLessThan(60_000);
        }
      });

      test("does not show another cluster's", async () => {
        const t = token();
        const { id } = await other.launch(spec, t);
        await cloud.eventually(async () => (await other.list()).some((one) => one.id === id));
        expect(await find(id)).toBeUndefined();
      });

      test('goes through all pages', async () => {
        const ids = await Promise.all(
          Array.from({ length: 12 }, async () => (await port.launch(spec, token())).id),
        );
        await cloud.eventually(async () => {
          const shown = (await port.list()).map(({ id }) => id);
          expect(new Set(shown).size).toBe(shown.length);
          return ids.every((id) => shown.includes(id));
        });
      });

      test('may be late: what was launched comes into sight after a while', async () => {
        await cloud.fault('slow-consistency', true);
        const t = token();
        await port.launch(spec, t);
        expect(await under(t)).toEqual([]);
        await cloud.fault('slow-consistency', false);
        await seen(t);
      });
    });

    describe('terminate', () => {
      test('ends the instance, which stays in sight as terminated, and no other', async () => {
        const [t, u] = [token(), token()];
        const { id } = await port.launch(spec, t);
        const { id: stays } = await port.launch(spec, u);
        await seen(t);
        await seen(u);
        await port.terminate(id);
        await ends(id);
        expect((await find(id))?.token).toBe(t);
        expect(['pending', 'running']).toContain((await find(stays))?.state);
      });

      test('twice is fine, also when all is over', async () => {
        const t = token();
        const { id } = await port.launch(spec, t);
        await seen(t);
        await port.terminate(id);
        await tolerant(port.terminate(id));
        await ends(id);
        await port.terminate(id);
        await ends(id);
      });

      test('of what the cloud does not know is not_found', async () => {
        await expectFault(port.terminate(cloudId('i-0123456789abcdef0')), 'not_found');
      });
    });

    describe('no answer', () => {
      test('a cloud that is away is unreachable, for every call, and comes back', async () => {
        await cloud.fault('api-down', true);
        const t = token();
        await expectFault(port.launch(spec, t), 'unreachable');
        await expectFault(port.list(), 'unreachable');
        await expectFault(port.terminate(cloudId('i-0123456789abcdef0')), 'unreachable');
        await cloud.fault('api-down', false);
        expect(await under(t)).toEqual([]);
        await port.launch(spec, t);
        await seen(t);
      });

      test('a launch whose answer is lost is unknown, and its repeat finds the instance', async () => {
        const t = token();
        await cloud.fault('lost-answer', true);
        await expectFault(port.launch(spec, t), 'unknown');
        await cloud.fault('lost-answer', false);
        await seen(t);
        const [there] = await under(t);
        expect((await port.launch(spec, t)).id).toBe(there?.id);
        await seen(t);
      });

      test('a launch whose request is lost is unknown, and its repeat makes the one instance', async () => {
        const t = token();
        await cloud.fault('lost-request', true);
        await expectFault(port.launch(spec, t), 'unknown');
        await cloud.fault('lost-request', false);
        await port.launch(spec, t);
        await seen(t);
      });

      test('a termination whose answer is lost is unknown, and happens', async () => {
        const t = token();
        const { id } = await port.launch(spec, t);
        await seen(t);
        await cloud.fault('lost-answer', true);
        await expectFault(port.terminate(id), 'unknown');
        await expectFault(port.list(), 'transient');
        await cloud.fault('lost-answer', false);
        await ends(id);
      });
    });

    describe('types and check', () => {
      test('types have their figures, also when asked again', async () => {
        for (const _ of [1, 2])
          expect(await port.types(cloud.types.map((one) => one.name))).toEqual(
            cloud.types.map((one) => expect.objectContaining({ ...one, gpus: 0 })),
          );
      });

      test('a type that is not there is refused', async () => {
        const error = await expectFault(port.types(['no.such']), 'refused');
        expect(error.message).toContain('no.such');
      });

      test('check is content with what can be launched, and launches nothing', async () => {
        const before = (await port.list()).length;
        await port.check(spec);
        expect(await port.list()).toHaveLength(before);
      });

      test.each([
        { what: 'template', wrong: { launchTemplate: 'no-such' } },
        { what: 'type', wrong: { types: ['no.such'] } },
        { what: 'zone', wrong: { zones: ['no-such-1z'] } },
      ])('check names a $what that is not there', async ({ wrong }) => {
        const error = await expectFault(port.check({ ...spec, ...wrong }), 'refused');
        expect(error.message).toContain(Object.values(wrong).flat()[0]);
      });

      test('rights that are missing are refused', async () => {
        await cloud.fault('unauthorized', true);
        await expectFault(port.check(spec), 'refused');
        await expectFault(port.launch(spec, token()), 'refused');
        await expectFault(port.list(), 'refused');
      });
    });
  });
}

export async function expectFault(work: Promise<unknown>, fault: PortError['fault']): Promise<PortError> {
  const error: unknown = await work.then(
    () => undefined,
    (e: unknown) => e,
  );
  expect(error).toBeInstanceOf(PortError);
  if (!(error instanceof PortError)) throw new Error('no PortError');
  expect(`${error.fault}: ${error.message}`).toMatch(new RegExp(`^${fault}: .`));
  return error;
}

/** What is not yet, or no longer, in the cloud's sight is nothing to complain about. */
async function tolerant(work: Promise<unknown>): Promise<void> {
  await work.catch((e: unknown) => {
    if (!(e instanceof PortError) || e.fault !== 'not_found') throw e;
  });
}
