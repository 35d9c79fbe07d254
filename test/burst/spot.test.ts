/** A burst on spot: what it came to, and what follows a notice. */
import { describe, expect, it } from 'vitest';
import type { BurstContext } from '../../src/burst/context.ts';
import { grant } from '../../src/burst/handover.ts';
import { provision } from '../../src/burst/provision.ts';
import { leaveReclaimed, spentOnSpot, watchReclaim } from '../../src/burst/spot.ts';
import type { Burst } from '../../src/domain/burst.ts';
import { instanceId, instant } from '../../src/domain/ids.ts';
import type { Instance, SpotPrice } from '../../src/domain/instance.ts';
import { GiB, nothing } from '../../src/domain/resources.ts';
import { MemStore } from '../../src/sim/models/store.ts';
import { keeperNeeds } from '../../src/translate/index.ts';
import { anInstance, newId, putBurst, putInstance } from '../contract/samples.ts';
import { burst, detail, pod } from './fixtures.ts';

const hour = 3_600_000;
const start = 1_800_000_000_000;
const id = instanceId('i-1');
const needs = { cpuMillis: 8_000 - keeperNeeds.cpuMillis, memoryBytes: GiB, extended: {} };
const price = (microUsd: number, fromHours: number): SpotPrice => ({
  ...{ type: 'm', zone: 'a', microUsd, from: instant(start + fromHours * hour) },
});

async function scene(
  history: readonly SpotPrice[] | Error,
  of: Partial<Instance> = {},
  over: Partial<Burst> = {},
) {
  let now = start + 2 * hour;
  const clock = { now: () => instant(now) };
  const entropy = { uuid: newId, bytes: (n: number) => new Uint8Array(n), random: () => 0.5 };
  const store = new MemStore({ clock, entropy });
  const instance = anInstance({
    ...{ id, type: 'm', zone: 'a', state: 'ready', price: { microUsd: 300_000, capMicroUsd: 500_000 } },
    ...of,
  });
  const held = burst({
    ...{ rev: 0, state: 'running', capacityType: 'spot', instance: id, machine: 'm', needs },
    ...{ startedAt: instant(start), price: { held: 9_999_999, rates: { m: 1_000_000 } } },
    ...over,
  });
  await store.commit(newId(), held.cluster, 0, [
    putInstance({ ...instance, cluster: held.cluster }),
    putBurst(held),
  ]);
  const signals: unknown[] = [];
  const requeued: unknown[] = [];
  const group = { name: 'cpu', overhead: nothing, vcpuPerCpu: 1 };
  const ctx = {
    ...{ store, clock, entropy, epoch: () => 0, log: () => undefined, wake: () => undefined },
    offered: () => ({ group, types: [{ name: 'm', vcpus: 16, memoryBytes: 64 * GiB, gpus: 0 }] }),
    spotHistory: async () => {
      if (history instanceof Error) throw history;
      return history;
    },
    streams: {
      signal: (...args: unknown[]) => signals.push(args),
      standinOf: () => ({ link: 'up', open: { restart: 0 }, bye: false }),
    },
    slurm: {
      job: async () => detail({ state: 'RUNNING', requeue: true }),
      requeue: async (...args: unknown[]) => requeued.push(args),
    },
  } as unknown as BurstContext;
  const load = async (): Promise<Burst> => {
    const found = await store.burst(held.id);
    if (found === undefined) throw new Error('no burst');
    return found;
  };
  const pass = (ms: number): void => {
    now += ms;
  };
  return { ctx, load, signals, requeued, pass, ended: instant(start + 2 * hour) };
}

describe('what a burst on spot came to', () => {
  it('is its share of the machine, at each price for as long as it held', async () => {
    const s = await scene([price(100_000, -9), price(200_000, 1)]);
    // Half of a machine: an hour at 0.1 and one at 0.2 dollars.
    expect(await spentOnSpot(s.ctx, await s.load(), s.ended)).toEqual({ microUsd: 150_000, by: 'history' });
  });

  it('is never above the cap, whatever the market did between the notice and the end', async () => {
    const s = await scene([price(100_000, -9), price(9_000_000, 1)]);
    expect(await spentOnSpot(s.ctx, await s.load(), s.ended)).toEqual({ microUsd: 300_000, by: 'history' });
  });

  it('is what the instance was bought at where the history is away or too short, and says so', async () => {
    for (const history of [new Error('503'), [price(100_000, 1)]]) {
      const s = await scene(history);
      expect(await spentOnSpot(s.ctx, await s.load(), s.ended)).toEqual({ microUsd: 300_000, by: 'held' });
    }
  });

  it('is its price on demand where nobody knows what it was bought at', async () => {
    const s = await scene(new Error('503'), { price: undefined });
    expect(await spentOnSpot(s.ctx, await s.load(), s.ended)).toEqual({ microUsd: 2_000_000, by: 'held' });
  });

  it('is not asked of one that ran on demand, or never began', async () => {
    const demand = await scene([], {}, { capacityType: undefined });
    expect(await spentOnSpot(demand.ctx, await demand.load(), demand.ended)).toBeUndefined();
    const idle = await scene([], {}, { startedAt: undefined });
    expect(await spentOnSpot(idle.ctx, await idle.load(), idle.ended)).toBeUndefined();
  });
});

describe('a notice', () => {
  const told = { state: 'draining' as const, reclaimedAt: instant(start + 2 * hour) };

  it('sends the signal that the script asked for, leaves it its time, then has Slurm requeue it, once', async () => {
    const s = await scene([], told, { signal: 10 });
    expect(await watchReclaim(s.ctx, await s.load())).toEqual({ again: 'now' });
    expect((await s.load()).reclaimedAt).toBe(told.reclaimedAt);
    expect(await watchReclaim(s.ctx, await s.load())).toMatchObject({ again: 'after' });
    expect(s.signals).toEqual([['b-1', 'greclaim-0', 10, 'script']]);
    expect(s.requeued).toEqual([]);
    s.pass(75_000);
    await watchReclaim(s.ctx, await s.load());
    await watchReclaim(s.ctx, await s.load());
    expect(s.requeued).toHaveLength(1);
  });

  it('without a signal in the script sends none', async () => {
    const s = await scene([], told);
    await watchReclaim(s.ctx, await s.load());
    await watchReclaim(s.ctx, await s.load());
    expect(s.signals).toEqual([]);
  });

  it('that came too late is a run that is lost as soon as the cloud says terminated', async () => {
    const s = await scene([], { ...told, state: 'gone' }, { reclaimedAt: told.reclaimedAt });
    await watchReclaim(s.ctx, await s.load());
    expect(await s.load()).toMatchObject({
      state: 'lost',
      exit: { lost: true, reason: expect.stringContaining('was taken back') },
    });
  });

  it('there is none: nothing follows', async () => {
    const s = await scene([]);
    expect(await watchReclaim(s.ctx, await s.load())).toBeUndefined();
  });
});

describe('an instance that is taken back before anything of the job ran', () => {
  const told = { state: 'draining' as const, reclaimedAt: instant(start + hour) };
  const before = { startedAt: undefined, enteredAt: instant(start + 2 * hour) };
  const named = { ref: { namespace: 'n', name: 'p' }, uid: undefined };
  const pending = { hint: () => 'PENDING', replan: () => undefined };

  it('ends the burst, which counts as a run that was taken back', async () => {
    const s = await scene([], told, { ...before, state: 'ready' });
    await leaveReclaimed(s.ctx, await s.load(), 'the job was moved');
    expect(await s.load()).toMatchObject({
      ...{ state: 'returning', reclaimedAt: told.reclaimedAt },
      cause: {
        kind: 'no_capacity',
        text: expect.stringMatching(/takes spot instance .* before the job was moved/),
      },
    });
    const none = await scene([], {}, { ...before, state: 'ready' });
    expect(await leaveReclaimed(none.ctx, await none.load(), 'x')).toBeUndefined();
  });

  it('before its pod is made sends it on demand, which is no refusal of spot', async () => {
    const s = await scene([], told, { ...before, state: 'provisioning', pod: named });
    Object.assign(s.ctx, pending);
    await provision(s.ctx, await s.load());
    const again = await s.load();
    expect(again).toMatchObject({ state: 'reserved', instance: undefined, capacityType: undefined });
    expect([again.spotRefused, again.reclaimedAt]).toEqual([undefined, undefined]);
  });

  it('with its pod made ends the burst', async () => {
    const s = await scene([], told, { ...before, state: 'provisioning', pod: { ...named, uid: 'u' } });
    Object.assign(s.ctx, pending);
    await provision(s.ctx, await s.load());
    expect(await s.load()).toMatchObject({ state: 'returning', reclaimedAt: told.reclaimedAt });
  });

  it.each([
    [true, 'returning'],
    [false, 'attached'],
  ] as const)('and after its stand-in called: may be requeued %s, so it is %s', async (requeue, state) => {
    const s = await scene([], told, { ...before, state: 'attached', pod: { ...named, uid: 'u' } });
    const { uid, gid } = await s.load();
    const coupled: unknown[] = [];
    Object.assign(s.ctx, {
      nodes: async () => [{ name: 'node', ready: 'true' }],
      kubernetes: { pod: async () => pod({ state: 'running', startedAt: instant(start) }) },
      slurm: { job: async () => detail({ state: 'RUNNING', requeue }) },
      streams: {
        standinOf: () => ({ key: 'k', link: 'up', open: { restart: 0 }, peer: { uid, gid } }),
        keeper: () => ({ link: 'up', main: 'ready', inputComplete: false, everUp: true, linkSince: start }),
        couple: (...args: unknown[]) => coupled.push(args),
      },
    });
    await grant(s.ctx, await s.load());
    expect((await s.load()).state).toBe(state);
    expect(coupled).toHaveLength(requeue ? 0 : 1);
  });
});
