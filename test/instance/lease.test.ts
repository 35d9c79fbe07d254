/** What keeps an instance: its lease, which a gateway renews; and what ends it: idleness, and age. */
import { expect, it } from 'vitest';
import { PortError } from '../../src/domain/fault.ts';
import { cloudId, type Instant, instant, uuid } from '../../src/domain/ids.ts';
import type { Instance } from '../../src/domain/instance.ts';
import type { NodeGroup } from '../../src/domain/policy.ts';
import type { InstanceContext } from '../../src/instance/context.ts';
import { keep } from '../../src/instance/retire.ts';
import { MemStore } from '../../src/sim/models/store.ts';
import { anInstance, newId, putInstance } from '../contract/samples.ts';

async function scene(group: Partial<NodeGroup>, refuses = false) {
  let now = 1_000_000;
  const clock = { now: () => instant(now) };
  const entropy = { uuid: () => uuid(newId()), bytes: (n: number) => new Uint8Array(n), random: () => 0.5 };
  const store = new MemStore({ clock, entropy });
  const own = anInstance({
    state: 'ready',
    cloudId: cloudId('i-0abc'),
    node: 'n1',
    launchedAt: instant(now),
  });
  await store.commit(newId(), own.cluster, 1, [putInstance(own)]);
  const renewed: Instant[] = [];
  const ctx = {
    ...{ store, clock, entropy, generation: uuid('g') },
    epoch: () => 1,
    group: () => group,
    nodes: async () => [
      { name: 'n1', providerId: 'aws:///a/i-0abc', labels: {}, ready: 'true', leasedAt: renewed.at(-1) },
    ],
    kubernetes: {
      renewLease: async (_: string, at: Instant) => {
        if (refuses) throw new PortError('unreachable', 'kubernetes.renewLease', 'away');
        renewed.push(at);
      },
    },
    listed: () => undefined,
    ...{ replan: () => undefined, wake: () => undefined, log: () => undefined },
  } as unknown as InstanceContext;
  const row = async () => (await store.instance(own.id)) as Instance;
  return {
    renewed,
    row,
    /** As the engine steps it: again at once while it says so. */
    step: async () => {
      for (;;) {
        const next = await keep(ctx, await row());
        if (next.again !== 'now' || (await row()).state !== 'ready') return next;
      }
    },
    pass: (ms: number) => {
      now += ms;
    },
  };
}

it('a lease is renewed at once, and then six times in its length', async () => {
  const s = await scene({ idleMs: 3_600_000, leaseMs: 60_000 });
  expect(await s.step()).toEqual({ again: 'after', ms: 10_000 });
  s.pass(5_000);
  await s.step();
  expect(s.renewed).toEqual([1_000_000]);
  s.pass(5_000);
  await s.step();
  expect(s.renewed).toEqual([1_000_000, 1_010_000]);
});

it('a lease of hours is renewed as often as the usual one: user data may say less', async () => {
  const s = await scene({ idleMs: 36_000_000, leaseMs: 10_800_000 });
  await s.step();
  s.pass(299_000);
  await s.step();
  expect(s.renewed).toHaveLength(1);
  s.pass(1_000);
  await s.step();
  expect(s.renewed).toHaveLength(2);
});

it('a clock that was set back renews all the same', async () => {
  const s = await scene({ idleMs: 36_000_000, leaseMs: 60_000 });
  await s.step();
  s.pass(-500_000);
  await s.step();
  expect(s.renewed).toEqual([1_000_000, 500_000]);
});

it('an API server that is away keeps no instance from being given up', async () => {
  const s = await scene({ idleMs: 1_000 }, true);
  await s.step();
  s.pass(1_500);
  await s.step();
  expect(await s.row()).toMatchObject({ state: 'draining', why: 'idle for 2 s' });
});

it('past its maximum age an empty instance is given up, long before it was idle for its time', async () => {
  const s = await scene({ name: 'cpu', idleMs: 3_600_000, maxAgeMs: 60_000 });
  await s.step();
  s.pass(59_000);
  await s.step();
  expect((await s.row()).state).toBe('ready');
  s.pass(1_000);
  await s.step();
  expect(await s.row()).toMatchObject({ state: 'draining', why: 'older than cpu lets an instance be' });
});
