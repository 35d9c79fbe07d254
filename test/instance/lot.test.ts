import { describe, expect, it } from 'vitest';
import { PortError } from '../../src/domain/fault.ts';
import { type CloudId, cloudId, instanceId, instant, uuid } from '../../src/domain/ids.ts';
import type { CloudInstance, Instance, LaunchSpec, Missed } from '../../src/domain/instance.ts';
import { asLot, instanceTag, lotTag, whoseTags } from '../../src/domain/lot.ts';
import { overheadAccount } from '../../src/domain/overhead.ts';
import type { InstanceContext } from '../../src/instance/context.ts';
import { launch } from '../../src/instance/launch.ts';
import type { CloudPort, LaunchedLot } from '../../src/ports.ts';
import { MemStore } from '../../src/sim/models/store.ts';
import { aBurst, anInstance, newId, putBurst, putInstance } from '../contract/samples.ts';

const generation = uuid('11111111-1111-4111-8111-111111111111');
const minute = 60_000;
const spec = { ...anInstance().spec, types: ['m7i.large'], capacityType: 'on-demand' as const };

const machine = (name: string): CloudInstance => ({
  ...{ id: cloudId(`i-0${name}`), type: 'm7i.large', zone: 'eu-central-1a', state: 'pending' },
  ...{ capacityType: 'on-demand', privateDnsName: '', launchedAt: instant(0), token: undefined, tags: {} },
  missed: [],
});

type Answer = (count: number) => LaunchedLot;
const all: Answer = (count) => ({
  made: Array.from({ length: count }, (_, n) => machine(`${count - n}`)),
  short: undefined,
});

/** A lot of so many rows in a store of its own, each with a burst, and a cloud that answers in turn. */
async function scene(size: number, answers: readonly (Answer | PortError)[], budget?: number) {
  let now = 1_000;
  const clock = { now: () => instant(now) };
  const entropy = { uuid: () => uuid(newId()), bytes: (n: number) => new Uint8Array(n), random: () => 0.5 };
  const store = new MemStore({ clock, entropy });
  const singles = Array.from({ length: size }, () => {
    const id = instanceId(newId());
    return anInstance({ id, spec: { ...spec, tags: { ...spec.tags, [instanceTag]: id } } });
  });
  const rows = asLot(singles, {});
  const bursts = rows.map((row) =>
    aBurst({ state: 'reserved', instance: row.id, saved: { ...aBurst().saved, timeLimitMs: 60 * minute } }),
  );
  const cluster = rows[0]?.cluster ?? anInstance().cluster;
  await store.commit(newId(), cluster, 1, [
    ...rows.map((row) => putInstance(row)),
    ...bursts.map((burst) => putBurst(burst)),
  ]);
  const calls: { readonly how: string; readonly token: string; readonly count: number }[] = [];
  const woken = new Set<string>();
  const left = [...answers];
  const cloud: Pick<CloudPort, 'launch' | 'launchLot'> = {
    launch: async (_spec, token) => {
      calls.push({ how: 'one', token, count: 1 });
      return machine(`one${calls.length}`);
    },
    launchLot: async (_spec, token, count) => {
      calls.push({ how: 'lot', token, count });
      const next = left.length > 1 ? left.shift() : left[0];
      if (next === undefined) throw new Error('nobody was to ask');
      if (next instanceof PortError) throw next;
      return next(count);
    },
  };
  const group = {
    ...{ name: spec.group, prices: { 'm7i.large': 3_600_000 }, joinTimeoutMs: 5 * minute },
    ...{ idleMs: minute, leaseMs: 30 * minute, lostAfterMs: 60 * minute },
  };
  const ctx = {
    ...{ cloud, store, clock, entropy, generation },
    epoch: () => 1,
    group: () => group,
    nodes: async () => [],
    listed: () => undefined,
    overhead: () =>
      budget === undefined
        ? undefined
        : {
            besides: 0,
            marginMs: 0,
            budgets: [{ account: overheadAccount, microUsd: budget, per: 'total', hard: true }],
          },
    ...{ replan: () => undefined, wake: (id: string) => woken.add(id), log: () => undefined },
  } as unknown as InstanceContext;
  const row = async (seat: number) => (await store.instance(rows[seat]?.id as never)) as Instance;
  return {
    ...{ ctx, store, rows, bursts, calls, woken, row, cluster },
    rowsNow: () => Promise.all(rows.map((_, seat) => row(seat))),
    step: async (seat = 0) => launch(ctx, await row(seat)),
    pass: (ms: number) => {
      now += ms;
    },
  };
}

const noCapacity = (
  missed: readonly Missed[] = [{ type: 'm7i.large', zone: 'eu-central-1a', why: 'none' }],
) => new PortError('no_capacity', 'cloud.launchLot', 'none left', { missed });

describe('several instances that are asked for by one call', () => {
  it('share a token and a spec, which names no row; of one row alone nothing changes but whose it is', () => {
    const [a, b] = [anInstance({ spec }), anInstance({ spec })];
    const [first, second] = asLot([a, b], { 'spillway.dev/user': 'alice' });
    expect(first?.token).toBe(second?.token);
    expect(first?.token).not.toBe(a.token);
    expect(first?.token.length).toBeLessThanOrEqual(64);
    expect(first?.spec).toEqual(second?.spec);
    expect(first?.spec.tags).toMatchObject({ [lotTag]: a.id, 'spillway.dev/user': 'alice' });
    expect(first?.spec.tags[instanceTag]).toBeUndefined();
    expect([first?.lot, second?.lot]).toEqual([
      { size: 2, seat: 0 },
      { size: 2, seat: 1 },
    ]);
    const [alone] = asLot([a], {});
    expect(alone).toEqual(a);
  });

  it('are tagged with whose jobs they are for, and with "several" where those differ; what no tag may hold is replaced', () => {
    const job = { account: 'physics', user: 'alice', ref: '17_3' };
    expect(whoseTags([job])).toEqual({
      'spillway.dev/account': 'physics',
      'spillway.dev/user': 'alice',
      'spillway.dev/job': '17_3',
    });
    expect(whoseTags([job, { ...job, user: 'DOM\\bob$', ref: '18' }])).toEqual({
      'spillway.dev/account': 'physics',
      'spillway.dev/user': 'several',
      'spillway.dev/job': 'several',
    });
    expect(whoseTags([{ ...job, user: 'DOM\\bob$' }])['spillway.dev/user']).toBe('DOM_bob_');
  });

  it('are asked for once, by who sits first; each row has a machine of its own, and all are told', async () => {
    const s = await scene(3, [all]);
    await s.step(1);
    await s.step(2);
    expect(s.calls).toEqual([]);
    await s.step(0);
    expect(s.calls).toEqual([{ how: 'lot', token: s.rows[0]?.token, count: 3 }]);
    const now = await s.rowsNow();
    expect(now.map(({ state }) => state)).toEqual(['launched', 'launched', 'launched']);
    expect(now.map(({ cloudId: id }) => id)).toEqual(['i-01', 'i-02', 'i-03']);
    expect(now.map(({ price }) => price?.microUsd)).toEqual([3_600_000, 3_600_000, 3_600_000]);
    expect([...s.woken]).toEqual(expect.arrayContaining(s.rows.map(({ id }) => id)));
  });

  it('leave an intent with the count before the cloud is asked, which is answered after it', async () => {
    const s = await scene(2, [new PortError('unknown', 'cloud.launchLot', 'no answer')]);
    let open: readonly unknown[] = [];
    const { launchLot } = s.ctx.cloud;
    Object.assign(s.ctx.cloud, {
      launchLot: async (...of: Parameters<NonNullable<typeof launchLot>>) => {
        open = await s.store.openIntents(s.rows[0]?.id as never);
        return launchLot?.(...of);
      },
    });
    await s.step();
    expect(open).toMatchObject([{ effect: 'cloud.launchLot', spec: { count: 2, token: s.rows[0]?.token } }]);
    expect(await s.store.openIntents(s.rows[0]?.id as never)).toEqual([]);
  });

  it('whose answer was lost are asked for again as the same, and never each by itself, also where the group was drained since', async () => {
    const s = await scene(2, [new PortError('unknown', 'cloud.launchLot', 'no answer'), all]);
    await s.step();
    expect((await s.rowsNow()).map(({ state }) => state)).toEqual(['intended', 'intended']);
    await s.store.drainGroup(s.cluster, spec.group, 'alice', 'a driver');
    // Whoever wakes it meanwhile does not hasten it.
    await s.step();
    expect(s.calls).toHaveLength(1);
    s.pass(3_000);
    await s.step();
    expect(s.calls.map(({ how, token, count }) => [how, token, count])).toEqual([
      ['lot', s.rows[0]?.token, 2],
      ['lot', s.rows[0]?.token, 2],
    ]);
    expect((await s.rowsNow()).map(({ state }) => state)).toEqual(['launched', 'launched']);
  });

  it('of which fewer came: who sits first has one, the others end with the reason, and their bursts are told', async () => {
    const s = await scene(3, [() => ({ made: [machine('b'), machine('a')], short: noCapacity() })]);
    await s.step();
    const now = await s.rowsNow();
    expect(now.map(({ state, cloudId: id }) => [state, id])).toEqual([
      ['launched', 'i-0a'],
      ['launched', 'i-0b'],
      ['gone', undefined],
    ]);
    expect(now[2]?.why).toBe('no capacity: none left');
    expect(s.woken.has(s.bursts[2]?.id ?? '')).toBe(true);
    expect(s.woken.has(s.bursts[0]?.id ?? '')).toBe(false);
  });

  it('of which fewer came, and nobody says why, are asked for anew as what was throttled', async () => {
    const s = await scene(2, [() => ({ made: [machine('a')], short: undefined })]);
    await s.step();
    expect((await s.row(1)).state).toBe('gone');
    expect((await s.row(1)).why).toMatch(/^throttled: /);
  });

  it.each(['no_capacity', 'throttled', 'refused', 'invalid'] as const)(
    'of which none came all end, and all bursts are told: %s',
    async (fault) => {
      const s = await scene(3, [new PortError(fault, 'cloud.launchLot', 'no')]);
      await s.step();
      expect((await s.rowsNow()).map(({ state }) => state)).toEqual(['gone', 'gone', 'gone']);
      expect(s.bursts.every(({ id }) => s.woken.has(id))).toBe(true);
    },
  );

  it('are asked for each by itself where the group was drained first: each is withheld', async () => {
    const s = await scene(2, []);
    await s.store.drainGroup(s.cluster, spec.group, 'alice', 'a driver');
    await s.step();
    for (const seat of [0, 1]) await s.step(seat);
    expect(s.calls).toEqual([]);
    expect((await s.rowsNow()).map(({ state, withheld }) => [state, withheld])).toEqual([
      ['gone', 'drain'],
      ['gone', 'drain'],
    ]);
  });

  it('of which the budget holds only some are asked for each by itself, under tokens of their own: some come', async () => {
    const one = await scene(1, [], 1e12);
    await one.step();
    const held = (await one.row(0)).hold?.held ?? 0;
    expect(held).toBeGreaterThan(0);
    const s = await scene(3, [], Math.round(held * 2.5));
    await s.step();
    for (const seat of [0, 1, 2]) await s.step(seat);
    const now = await s.rowsNow();
    expect(now.map(({ state }) => state)).toEqual(['launched', 'launched', 'gone']);
    expect(now[2]?.withheld).toBe('budget');
    expect(s.calls.map(({ how }) => how)).toEqual(['one', 'one']);
    expect(new Set(now.map(({ token }) => token)).size).toBe(3);
    expect(now.map(({ token }) => token)).not.toContain(s.rows[0]?.token);
    for (const { id, spec: asked, lot } of now) {
      expect(lot).toBeUndefined();
      expect(asked.tags).toMatchObject({ [instanceTag]: id });
      expect(asked.tags[lotTag]).toBeUndefined();
    }
  });

  it('are held money for, each its own, before the cloud is asked', async () => {
    const s = await scene(3, [all], 1e12);
    await s.step();
    const { held } = await s.store.money(s.cluster, { account: overheadAccount, since: instant(0) });
    const each = (await s.rowsNow()).map(({ hold }) => hold?.held ?? 0);
    expect(Math.min(...each)).toBeGreaterThan(0);
    expect(held).toBe(each.reduce((a, b) => a + b));
  });

  it('are asked for each by itself of a cloud that takes no such call', async () => {
    const s = await scene(2, []);
    Object.assign(s.ctx.cloud, { launchLot: undefined });
    await s.step();
    for (const seat of [0, 1]) await s.step(seat);
    expect(s.calls.map(({ how }) => how)).toEqual(['one', 'one']);
  });

  it('do not get a machine that another row has: it ran a pod before the store was set back', async () => {
    const s = await scene(2, [all]);
    const known: CloudId = cloudId('i-01');
    const row = anInstance({ state: 'ready', cloudId: known });
    await s.store.commit(newId(), s.cluster, 1, [putInstance(row)]);
    await s.step();
    const now = await s.rowsNow();
    expect(now.map(({ state, cloudId: id }) => [state, id])).toEqual([
      ['launched', 'i-02'],
      ['gone', undefined],
    ]);
  });

  describe('that meet a quota of the account', () => {
    const quota: readonly Missed[] = [{ type: 'm7i.large', zone: 'eu-central-1a', why: 'quota' }];
    /** A cloud that lets the account have so many: a call for more makes nothing. Every call is of a new token. */
    async function limited(size: number, left: number, budget?: number) {
      let room = left;
      let made = 0;
      const s = await scene(size, [all], budget);
      const tokens = new Set<string>();
      Object.assign(s.ctx.cloud, {
        launchLot: async (asked: LaunchSpec, token: string, count: number): Promise<LaunchedLot> => {
          expect(tokens.has(token)).toBe(false);
          tokens.add(token);
          s.calls.push({ how: asked.tags[lotTag] ?? '', token, count });
          if (count > room) throw noCapacity(quota);
          room -= count;
          made += count;
          const from = made - count;
          const machines = Array.from({ length: count }, (_, n) => machine(`${100 + from + n}`));
          return { made: machines, short: undefined };
        },
      });
      /** All rows in any order, again and again, until nobody is asked for any more. */
      const play = async () => {
        for (let round = 0; (await s.rowsNow()).some((row) => row.state === 'intended'); round += 1) {
          if (round > 50) throw new Error('it does not end');
          for (let seat = size - 1; seat >= 0; seat -= 1)
            if ((await s.row(seat)).state === 'intended') await s.step(seat);
        }
      };
      return { ...s, play };
    }
    const up = (rows: readonly Instance[]) => rows.filter((row) => row.state === 'launched').length;

    it('are asked for again in smaller numbers, until the account has all that it may have', async () => {
      for (let left = 0; left <= 25; left += 1) {
        const s = await limited(25, left);
        await s.play();
        const now = await s.rowsNow();
        expect(up(now)).toBe(left);
        expect(s.calls.length).toBeLessThanOrEqual(left === 0 ? 5 : 9);
        for (const row of now.filter(({ state }) => state === 'gone'))
          expect(row.why).toBe('no capacity: none left');
        expect(new Set(now.flatMap((row) => row.cloudId ?? [])).size).toBe(left);
      }
    });

    it('are asked for one call at a time: the second half waits for what becomes of the first', async () => {
      const s = await limited(5, 3);
      await s.step(0);
      expect((await s.rowsNow()).map(({ lot, state }) => [lot?.size, lot?.seat, state])).toEqual([
        [2, 0, 'intended'],
        [2, 1, 'intended'],
        [2, 0, 'intended'],
        [2, 1, 'intended'],
        [5, 4, 'gone'],
      ]);
      for (const seat of [3, 2, 1]) await s.step(seat);
      expect(s.calls.map(({ count }) => count)).toEqual([5]);
      s.woken.clear();
      await s.step(0);
      expect(s.woken.has(s.rows[2]?.id ?? '')).toBe(true);
      await s.step(2);
      await s.play();
      expect(s.calls.map(({ count }) => count)).toEqual([5, 2, 2, 1]);
      expect((await s.rowsNow()).map(({ state }) => state)).toEqual([
        ...['launched', 'launched', 'launched'],
        ...['gone', 'gone'],
      ]);
    });

    it('hold their money on, each once, and those that get none give it back', async () => {
      const s = await limited(4, 2, 1e12);
      await s.play();
      const now = await s.rowsNow();
      expect(up(now)).toBe(2);
      const { held } = await s.store.money(s.cluster, { account: overheadAccount, since: instant(0) });
      const each = now.filter(({ state }) => state === 'launched').map(({ hold }) => hold?.held ?? 0);
      expect(Math.min(...each)).toBeGreaterThan(0);
      expect(held).toBe(each.reduce((a, b) => a + b));
    });

    it('are not asked for again where the group was drained since; their money is given back', async () => {
      const s = await limited(4, 2, 1e12);
      await s.step(0);
      await s.store.drainGroup(s.cluster, spec.group, 'alice', 'a driver');
      await s.play();
      expect(s.calls.length).toBe(1);
      expect(up(await s.rowsNow())).toBe(0);
      const { held } = await s.store.money(s.cluster, { account: overheadAccount, since: instant(0) });
      expect(held).toBe(0);
    });

    it('whose smaller call is not answered are asked for again as the same, and who is behind them waits', async () => {
      const s = await scene(5, [
        noCapacity(quota),
        new PortError('unknown', 'cloud.launchLot', 'no answer'),
        all,
      ]);
      await s.step(0);
      await s.step(0);
      await s.step(2);
      expect(s.calls.length).toBe(2);
      s.pass(3_000);
      await s.step(0);
      expect(s.calls[2]).toEqual(s.calls[1]);
      expect((await s.rowsNow()).map(({ state }) => state)).toEqual([
        ...['launched', 'launched', 'intended', 'intended'],
        'gone',
      ]);
    });

    it('of which fewer came leave nothing of it for those behind them', async () => {
      const s = await scene(5, [
        noCapacity(quota),
        () => ({ made: [machine('a')], short: noCapacity(quota) }),
      ]);
      await s.step(0);
      await s.step(0);
      expect((await s.rowsNow()).map(({ state }) => state)).toEqual([
        ...['launched', 'gone', 'gone', 'gone', 'gone'],
      ]);
    });

    it('go on behind those that were refused for another reason', async () => {
      const s = await scene(5, [noCapacity(quota), new PortError('throttled', 'cloud.launchLot', 'no'), all]);
      await s.step(0);
      await s.step(0);
      await s.step(2);
      expect((await s.rowsNow()).map(({ state }) => state)).toEqual([
        ...['gone', 'gone', 'launched', 'launched', 'gone'],
      ]);
    });
  });

  it('who asks twice at once gives each row one machine', async () => {
    const s = await scene(2, [all]);
    const first = await s.row(0);
    await Promise.all([launch(s.ctx, first), launch(s.ctx, first)]);
    await s.step();
    expect((await s.rowsNow()).map(({ state, cloudId: id }) => [state, id])).toEqual([
      ['launched', 'i-01'],
      ['launched', 'i-02'],
    ]);
  });
});
