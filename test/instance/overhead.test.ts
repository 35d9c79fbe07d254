/** The overhead budget: what no job pays of a machine is held before the cloud is asked, topped up, and settled when it is gone. */
import { expect, it } from 'vitest';
import type { Burst } from '../../src/domain/burst.ts';
import { PortError } from '../../src/domain/fault.ts';
import { cloudId, type Instant, instant, uuid } from '../../src/domain/ids.ts';
import type { CloudInstance, Instance } from '../../src/domain/instance.ts';
import type { Budget } from '../../src/domain/money.ts';
import { overheadAccount } from '../../src/domain/overhead.ts';
import type { NodeGroup } from '../../src/domain/policy.ts';
import type { InstanceContext } from '../../src/instance/context.ts';
import { launch } from '../../src/instance/launch.ts';
import { keep, terminate } from '../../src/instance/retire.ts';
import { MemStore } from '../../src/sim/models/store.ts';
import { aBurst, anInstance, newId, putBurst, putInstance } from '../contract/samples.ts';

const [minute, hour] = [60_000, 3_600_000];
const begin = 1_800_000_000_000;
const made: CloudInstance = {
  ...{ id: cloudId('i-0abc'), type: 'm7i.large', zone: 'eu-central-1a', state: 'running' },
  ...{ capacityType: 'on-demand', privateDnsName: '', launchedAt: instant(0), token: undefined, tags: {} },
};
const spec = { ...anInstance().spec, types: ['m7i.large'], capacityType: 'on-demand' as const };
const group: Partial<NodeGroup> = {
  ...{ name: 'cpu', idleMs: 5 * minute, leaseMs: 30 * minute, joinTimeoutMs: 5 * minute, lostAfterMs: hour },
  prices: { 'm7i.large': 900_000 },
};

/** Three hours of a dollar each: boot 5, wait 10, limit 60, margin 10, idle 5 and lease 30 minutes are two of them. */
async function scene({ usd = 3, others = [] as readonly Budget[], prices = group.prices } = {}) {
  let now = begin;
  const clock = { now: () => instant(now) };
  const entropy = { uuid: () => uuid(newId()), bytes: (n: number) => new Uint8Array(n), random: () => 0.5 };
  const store = new MemStore({ clock, entropy });
  const own = anInstance({ spec, createdAt: instant(now) });
  await store.commit(newId(), own.cluster, 1, [putInstance(own)]);
  let launched = 0;
  let state: CloudInstance['state'] = 'running';
  const budget: Budget = { account: overheadAccount, microUsd: usd * 1_000_000, per: 'month', hard: true };
  const ctx = {
    ...{ store, clock, entropy, generation: uuid('g') },
    cloud: {
      launch: async () => {
        launched++;
        return made;
      },
      terminate: async () => {
        state = 'terminated';
      },
    },
    kubernetes: { renewLease: async () => undefined, cordonNode: async () => undefined },
    epoch: () => 1,
    group: () => ({ ...group, prices }),
    nodes: async () => [
      { name: 'n1', providerId: 'aws:///a/i-0abc', labels: {}, ready: 'true', leasedAt: clock.now() },
    ],
    listed: () => ({ ok: true, at: clock.now(), value: [{ ...made, state }] }),
    overhead: () => ({ besides: 100_000, budgets: [budget, ...others], marginMs: 10 * minute }),
    ...{ replan: () => undefined, wake: () => undefined, log: () => undefined },
  } as unknown as InstanceContext;
  const row = async () => (await store.instance(own.id)) as Instance;
  const write = async (next: Partial<Instance>): Promise<void> => {
    const i = await row();
    await store.commit(newId(), i.cluster, 1, [
      { kind: 'instance', instance: { ...i, ...next }, why: 'test' },
    ]);
  };
  return {
    ctx,
    row,
    launched: () => launched,
    pass: (ms: number) => {
      now += ms;
    },
    /** A burst bound to it, running or not. */
    bind: async (over: Partial<Burst> = {}): Promise<Burst> => {
      const burst = aBurst({ instance: own.id, state: 'running', ...over });
      await store.commit(newId(), own.cluster, 1, [putBurst(burst)]);
      return burst;
    },
    over: async (burst: Burst, endedAt: Instant): Promise<void> => {
      const last = (await store.burst(burst.id)) as Burst;
      const ended: Burst = { ...last, state: 'settled', endedAt, pod: undefined };
      await store.commit(newId(), own.cluster, 1, [
        { kind: 'burst', burst: ended, why: 'test', adopted: true },
      ]);
    },
    launch: async () => launch(ctx, await row()),
    /** As the nodes' and the cloud's words would make it. */
    ready: () =>
      write({ state: 'joined' }).then(() => write({ state: 'ready', readyAt: instant(now), node: 'n1' })),
    keep: async () => {
      for (;;) {
        const next = await keep(ctx, await row());
        if (next.again !== 'now' || (await row()).state !== 'ready') return;
      }
    },
    end: async () => {
      await write({ state: 'draining' });
      await write({ state: 'terminating' });
      await terminate(ctx, await row());
      await terminate(ctx, await row());
    },
    money: (account: string | undefined = overheadAccount) =>
      store.money(own.cluster, { account, since: instant(0) }),
  };
}

const limited = (ms: number, over: Partial<Burst> = {}): Partial<Burst> => ({
  saved: { ...aBurst().saved, timeLimitMs: ms },
  ...over,
});

it('one that was asked for without an answer is asked for again, though an overhead budget that holds nothing came meanwhile', async () => {
  const s = await scene({ usd: 0 });
  const lost = new PortError('unknown', 'cloud.launch', 'no answer');
  const { cloud } = s.ctx;
  const before = {
    ...s.ctx,
    overhead: () => undefined,
    cloud: { ...cloud, launch: () => Promise.reject(lost) },
  };
  await launch(before, await s.row());
  s.pass(3_000);
  await s.launch();
  expect(await s.row()).toMatchObject({ state: 'launched', cloudId: made.id });
});

it('a launch holds boot, the longest planned end, idle time and the dead man’s half hour, with disk and address', async () => {
  const s = await scene();
  await s.bind(limited(hour, { state: 'provisioning' }));
  await s.launch();
  expect(await s.row()).toMatchObject({ state: 'launched', hold: { held: 2_000_000, perHour: 1_000_000 } });
  expect(await s.money()).toEqual({ held: 2_000_000, spent: 0 });
});

it('jobs hold their share and relieve it', async () => {
  const s = await scene();
  await s.bind(limited(hour, { state: 'provisioning', price: { held: 0, rates: { 'm7i.large': 600_000 } } }));
  await s.launch();
  expect(await s.money()).toEqual({ held: 2_000_000 - 700_000, spent: 0 });
});

it.each([
  ['the budget does not hold it', { usd: 1.99 }, /does not hold the 2\.00 USD/],
  [
    'a hard budget of all accounts does not',
    { others: [{ account: undefined, microUsd: 1_000_000, per: 'month', hard: true } as Budget] },
    /does not hold/,
  ],
  ['no price is known', { prices: {} }, /no price is configured for m7i\.large/],
] as const)(
  'nothing is launched where %s, and its bursts hear that money is why',
  async (_what, budgets, why) => {
    const s = await scene(budgets);
    await s.bind(limited(hour, { state: 'provisioning' }));
    await s.launch();
    expect(await s.row()).toMatchObject({ state: 'gone', withheld: 'budget', cloudId: undefined });
    expect((await s.row()).why).toMatch(why);
    expect(s.launched()).toBe(0);
    expect(await s.money()).toEqual({ held: 0, spent: 0 });
  },
);

it('nothing is launched for a job that has no end', async () => {
  const s = await scene();
  await s.bind({ state: 'provisioning', saved: { ...aBurst().saved, timeLimitMs: 'unlimited' } });
  await s.launch();
  expect((await s.row()).why).toContain('no time limit of its own');
  expect(s.launched()).toBe(0);
});

it('a later burst that ends later is topped up for', async () => {
  const s = await scene({ usd: 10 });
  await s.bind(limited(hour, { state: 'provisioning' }));
  await s.launch();
  await s.ready();
  await s.bind(limited(4 * hour, { startedAt: instant(begin) }));
  await s.keep();
  const { hold } = await s.row();
  // 240 + 10 + 35 minutes of a machine, and five ahead.
  expect(hold).toMatchObject({ rows: 2, held: Math.ceil(((285 + 5) / 60) * 1_000_000) });
  expect((await s.money()).held).toBe(hold?.held);
});

it('a horizon that passes without a top-up drains, before what is held is used up', async () => {
  const s = await scene({ usd: 2 });
  await s.bind(limited(hour, { state: 'provisioning' }));
  await s.launch();
  await s.ready();
  const longer = await s.bind(limited(4 * hour, { startedAt: instant(begin) }));
  await s.keep();
  expect(await s.row()).toMatchObject({ state: 'ready', hold: { rows: 1, short: begin } });
  s.pass(84 * minute);
  await s.keep();
  expect((await s.row()).state).toBe('ready');
  s.pass(minute);
  await s.keep();
  expect(await s.row()).toMatchObject({ state: 'draining' });
  expect((await s.row()).why).toContain('used up');
  // What runs there goes on; its own money is its own.
  expect((await s.ctx.store.burst(longer.id))?.state).toBe('running');
});

it('is settled by what the machine cost besides its bursts, and the rest is free again', async () => {
  const s = await scene({ usd: 10 });
  const price = { held: 0, rates: { 'm7i.large': 600_000 } };
  const job = await s.bind(
    limited(hour, { state: 'provisioning', price, startedAt: instant(begin + 10 * minute) }),
  );
  await s.launch();
  await s.ready();
  s.pass(30 * minute);
  await s.keep();
  await s.over(job, instant(begin + 30 * minute));
  await s.keep();
  expect((await s.row()).hold).toMatchObject({ on: [], relieved: 200_000 });
  s.pass(6 * minute);
  await s.end();
  expect((await s.row()).state).toBe('gone');
  // 36 minutes of a dollar an hour, of which the job paid twenty at sixty cents.
  expect(await s.money()).toEqual({ held: 0, spent: 600_000 - 200_000 });
  expect((await s.money(undefined)).spent).toBe(400_000);
});

it('one that the cloud had not is settled at nothing', async () => {
  const s = await scene();
  await s.bind(limited(hour, { state: 'provisioning' }));
  Object.assign(s.ctx.cloud, {
    launch: async () => {
      throw new PortError('no_capacity', 'cloud.launch', 'none');
    },
  });
  await s.launch();
  expect((await s.row()).state).toBe('gone');
  expect(await s.money()).toEqual({ held: 0, spent: 0 });
});
