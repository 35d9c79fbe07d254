import { describe, expect, it } from 'vitest';
import { PortError } from '../../src/domain/fault.ts';
import { type CloudId, cloudId, instant, uuid } from '../../src/domain/ids.ts';
import type { CloudInstance, Instance } from '../../src/domain/instance.ts';
import type { NodeGroup } from '../../src/domain/policy.ts';
import type { InstanceContext } from '../../src/instance/context.ts';
import { launch } from '../../src/instance/launch.ts';
import { terminate } from '../../src/instance/retire.ts';
import { MemStore } from '../../src/sim/models/store.ts';
import { aBurst, anInstance, newId, putInstance } from '../contract/samples.ts';

const made: CloudInstance = {
  ...{ id: cloudId('i-0abc'), type: 'm7i.large', zone: 'eu-central-1a', state: 'running' },
  ...{ capacityType: 'on-demand', privateDnsName: '', launchedAt: instant(0), token: undefined, tags: {} },
};

/** A store of its own, and a cloud that does as it is told. */
async function scene(instance: Instance, group: Partial<NodeGroup>) {
  let now = 1_000;
  const clock = { now: () => instant(now) };
  const entropy = { uuid: () => uuid(newId()), bytes: (n: number) => new Uint8Array(n), random: () => 0.5 };
  const store = new MemStore({ clock, entropy });
  await store.commit(newId(), instance.cluster, 1, [putInstance(instance)]);
  const asked: CloudId[] = [];
  let state: CloudInstance['state'] | 'not known' = 'running';
  const cloud: Pick<InstanceContext['cloud'], 'launch' | 'terminate'> = {
    launch: async () => made,
    terminate: async (id) => {
      asked.push(id);
      if (state === 'not known') throw new PortError('not_found', 'cloud.terminate', id);
      if (state === 'running') state = 'shutting-down';
    },
  };
  const ctx = {
    ...{ cloud, store, clock, entropy, generation: uuid('g') },
    epoch: () => 1,
    group: () => group,
    nodes: async () => [],
    listed: () => ({ ok: true, at: clock.now(), value: state === 'not known' ? [] : [{ ...made, state }] }),
    ...{ replan: () => undefined, wake: () => undefined, log: () => undefined },
  } as unknown as InstanceContext;
  return {
    ctx,
    asked,
    row: async () => (await store.instance(instance.id)) as Instance,
    pass: (ms: number) => {
      now += ms;
    },
    is: (s: typeof state) => {
      state = s;
    },
  };
}

const onDemand = { ...anInstance().spec, capacityType: 'on-demand' as const };

describe('an instance whose group was drained after it was planned', () => {
  const drained = async (over: Partial<Instance> = {}) => {
    const s = await scene(anInstance({ spec: onDemand, ...over }), {});
    await s.ctx.store.drainGroup(anInstance().cluster, onDemand.group, 'alice', 'a driver');
    return s;
  };

  it('is not asked for, also where a second plan was bound to it since; its bursts hear that a person stopped it', async () => {
    const s = await drained();
    const bound = await s.row();
    await s.ctx.store.commit(newId(), bound.cluster, 1, [putInstance(bound)]);
    await launch(s.ctx, await s.row());
    expect(await s.row()).toMatchObject({ state: 'gone', withheld: 'drain', launchedAt: undefined });
    expect((await s.row()).why).toContain('drained by alice');
  });

  it('is asked for again where it was asked for before: it may be there', async () => {
    const s = await drained({ askedAt: instant(500) });
    await launch(s.ctx, await s.row());
    expect(await s.row()).toMatchObject({ state: 'launched', askedAt: 500 });
  });
});

describe('an instance that is bought', () => {
  it('keeps the price of its launch, and of what day it was', async () => {
    const prices = { 'm7i.large': 101_000, 'c7i.large': 90_000 };
    const dated = await scene(anInstance({ spec: onDemand }), {
      prices,
      pricedFrom: { 'm7i.large': instant(7) },
    });
    await launch(dated.ctx, await dated.row());
    expect(await dated.row()).toMatchObject({ state: 'launched', price: { microUsd: 101_000, from: 7 } });
    const own = await scene(anInstance({ spec: onDemand }), { prices });
    await launch(own.ctx, await own.row());
    expect((await own.row()).price).toEqual({ microUsd: 101_000 });
    const none = await scene(anInstance({ spec: onDemand }), { prices: { other: 1 } });
    await launch(none.ctx, await none.row());
    expect((await none.row()).price).toBeUndefined();
  });

  it('is billed until the cloud has taken the order to end it, which is noted once', async () => {
    const s = await scene(anInstance({ state: 'terminating', cloudId: made.id, launchedAt: instant(0) }), {});
    await terminate(s.ctx, await s.row());
    expect(await s.row()).toMatchObject({ state: 'terminating', releasedAt: 1_000 });
    s.pass(50_000);
    await terminate(s.ctx, await s.row());
    expect(await s.row()).toMatchObject({ state: 'terminating', releasedAt: 1_000, endedAt: undefined });
    s.is('terminated');
    await terminate(s.ctx, await s.row());
    expect(await s.row()).toMatchObject({ state: 'gone', releasedAt: 1_000, endedAt: 51_000 });
    expect(s.asked).toEqual([made.id, made.id, made.id]);
  });

  it('that the cloud does not know was not taken down by that order', async () => {
    const s = await scene(anInstance({ state: 'terminating', cloudId: made.id, launchedAt: instant(0) }), {});
    s.is('not known');
    await terminate(s.ctx, await s.row());
    expect((await s.row()).releasedAt).toBeUndefined();
  });
});

describe('a machine that stays', () => {
  const most = { cpuMillis: 8_000, memoryBytes: 100, extended: { 'claim:gpu': 2, 'nvidia.com/gpu': 4 } };
  const needs = { cpuMillis: 1_000, memoryBytes: 10, extended: {} };
  const fixed = { ...onDemand, fixed: { needs, most } };

  it('holds what others leave of it, and no more than its group promises', async () => {
    const s = await scene(anInstance({ spec: fixed, capacity: needs }), {});
    const room = { cpuMillis: 5_500, memoryBytes: 1_000, extended: { 'nvidia.com/gpu': 3, other: 1 } };
    s.ctx.cloud.launch = async () => ({ ...made, fixed: { room } });
    await launch(s.ctx, await s.row());
    // What a claim allocates no node counts.
    expect((await s.row()).capacity).toEqual({
      ...{ cpuMillis: 5_500, memoryBytes: 100 },
      extended: { 'claim:gpu': 2, 'nvidia.com/gpu': 3 },
    });
  });

  const burst = { ...aBurst(), state: 'fencing' as const };
  it.each([
    ['with a burst bound to it is not gone, however long nobody knows it', true, 'terminating'],
    ['without one is', false, 'gone'],
  ])('%s', async (_what, bound, state) => {
    const row = anInstance({ spec: fixed, state: 'terminating', cloudId: made.id, launchedAt: instant(0) });
    const s = await scene({ ...row, fenced: 'lost', node: 'n1' }, {});
    if (bound)
      await s.ctx.store.commit(newId(), row.cluster, 1, [
        { kind: 'burst', burst: { ...burst, cluster: row.cluster, instance: row.id }, why: '' },
      ]);
    s.is('not known');
    s.pass(24 * 3_600_000);
    await terminate(s.ctx, await s.row());
    expect((await s.row()).state).toBe(state);
    if (bound) expect((await s.row()).trouble?.text).toContain('kubectl taint nodes n1');
  });
});

it('a cloud that does not answer is asked for the same again and again, half as often each time, once a minute at last', async () => {
  const s = await scene(anInstance({ spec: onDemand }), {});
  const at: number[] = [];
  const tokens = new Set<string>();
  let answers = false;
  const cloud = {
    launch: async (_: unknown, token: string) => {
      at.push(s.ctx.clock.now() - 1_000);
      tokens.add(token);
      if (!answers) throw new PortError('transient', 'cloud.launch', 'no answer');
      return made;
    },
  };
  const ctx = { ...s.ctx, cloud } as unknown as InstanceContext;
  // Whoever wakes it meanwhile does not hasten it.
  for (let i = 0; i < 300; i++) {
    await launch(ctx, await s.row());
    s.pass(1_000);
  }
  expect(at.map((ms) => ms / 1_000)).toEqual([0, 3, 6, 12, 24, 48, 96, 156, 216, 276]);
  expect(tokens.size).toBe(1);
  answers = true;
  s.pass(60_000);
  await launch(ctx, await s.row());
  expect(await s.row()).toMatchObject({ state: 'launched', trouble: undefined });
});

it('a clock that was set back keeps nothing from being asked for', async () => {
  const s = await scene(anInstance({ spec: onDemand, askAgainAt: instant(3_600_000) }), {});
  await launch(s.ctx, await s.row());
  expect((await s.row()).state).toBe('launched');
});
