/** What a warm pool's instances are in a list of ours: by their token, their lifecycle and what was asked of them. */
import { describe, expect, it } from 'vitest';
import { warmPools } from '../../../adapters/cloud/asg/warm.ts';
import { PortError } from '../../../src/domain/fault.ts';
import { type CloudId, cloudId, instant, launchToken } from '../../../src/domain/ids.ts';
import type { CloudInstance } from '../../../src/domain/instance.ts';

const minute = 60_000;
const id = cloudId('i-1234567890abcdef0');

function scene(lifecycle: string | undefined, groups: readonly string[] = ['cpu']) {
  const clock = { ms: 10 * minute, now: () => instant(clock.ms) };
  const asked = { pooled: 0, lifecycles: [] as (readonly CloudId[])[] };
  const pools = warmPools(
    {
      pooled: async () => {
        asked.pooled += 1;
        return new Set(groups);
      },
      lifecycles: async (ids) => {
        asked.lifecycles.push(ids);
        return new Map(lifecycle === undefined ? [] : ids.map((one) => [one, lifecycle]));
      },
    },
    { clock },
  );
  const told = async (over: Partial<CloudInstance>, group = 'cpu') => {
    const listed: CloudInstance = {
      ...{ id, type: 't', zone: 'z', state: 'running', capacityType: 'on-demand', privateDnsName: '' },
      ...{ launchedAt: instant(0), token: undefined, tags: { 'spillway.dev/group': group }, ...over },
    };
    return (await pools.sift([listed])).map(({ state }) => state).join();
  };
  return { pools, clock, asked, told };
}

const token = launchToken('a');

it.each([
  'Warmed:Pending',
  'Warmed:Pending:Wait',
  'Warmed:Pending:Proceed',
  'Warmed:Stopped',
  'Warmed:Running',
  'Warmed:Hibernated',
  'Warmed:Terminating:Wait',
])('%s without a token is nobody’s', async (lifecycle) => {
  const s = scene(lifecycle);
  s.clock.ms += minute;
  for (const state of ['pending', 'running', 'stopping', 'stopped'] as const)
    expect(await s.told({ state })).toBe('');
  expect(await s.told({ state: 'terminated' })).toBe('terminated');
});

it.each([undefined, 'InService', 'Pending', 'Terminating:Wait'])(
  '%s without a token is a stray, unless a launch may just have taken it',
  async (lifecycle) => {
    const s = scene(lifecycle);
    expect(await s.told({})).toBe('');
    // A new one is left alone by whoever looks for strays.
    expect(await s.told({ launchedAt: s.clock.now() })).toBe('running');
    s.clock.ms += minute;
    expect(await s.told({})).toBe('running');
    s.pools.launches();
    expect(await s.told({ id: cloudId('i-0fedcba0987654321') })).toBe('');
  },
);

it('what no launch tags is told of after a minute, however often something is launched', async () => {
  const s = scene('InService');
  for (let seconds = 0; seconds < 60; seconds += 10) {
    s.pools.launches();
    expect(await s.told({})).toBe('');
    s.clock.ms += minute / 6;
  }
  s.pools.launches();
  expect(await s.told({})).toBe('running');
});

it('what is stopped in the pool with a token has ended, but not in the minute of a launch', async () => {
  const s = scene('Warmed:Stopped');
  expect(await s.told({ state: 'stopped', token })).toBe('stopped');
  s.clock.ms += minute;
  expect(await s.told({ state: 'stopped', token })).toBe('terminated');
  s.pools.launched(id);
  expect(await s.told({ state: 'stopped', token })).toBe('stopped');
});

it('what runs in the pool with a token has ended where it was asked to, until it is launched again', async () => {
  const s = scene('Warmed:Running');
  expect([await s.told({ token }), s.asked.lifecycles]).toEqual(['running', []]);
  s.pools.ends(id);
  expect(await s.told({ token })).toBe('terminated');
  s.pools.launched(id);
  expect(await s.told({ token })).toBe('running');
  expect([await s.pools.holds(id), await scene('InService').pools.holds(id)]).toEqual([true, false]);
});

it('nothing is asked where all is plain, and no lifecycle where no group has a pool', async () => {
  const s = scene('InService');
  expect(await s.told({ token })).toBe('running');
  expect(s.asked).toEqual({ pooled: 0, lifecycles: [] });
  expect(await s.told({}, 'other')).toBe('running');
  expect(await s.told({}, 'other')).toBe('running');
  expect(s.asked).toEqual({ pooled: 1, lifecycles: [] });
  s.clock.ms += minute;
  await s.told({}, 'other');
  expect(s.asked.pooled).toBe(2);
});

describe('where it cannot be asked', () => {
  const group = (name: string) => ({ 'spillway.dev/group': name });
  const one = (over: Partial<CloudInstance>): CloudInstance => ({
    ...{ id, type: 't', zone: 'z', state: 'running', capacityType: 'on-demand', privateDnsName: '' },
    ...{ launchedAt: instant(0), token: undefined, tags: group('cpu'), ...over },
  });
  const plain = one({ id: cloudId('i-2'), token });
  const foreign = one({ id: cloudId('i-3'), tags: group('other') });
  const over = one({ id: cloudId('i-4'), state: 'terminated' });

  function failing(what: 'pooled' | 'lifecycles') {
    const clock = { ms: 10 * minute, now: () => instant(clock.ms) };
    const fails = { now: true };
    const answer =
      <T>(of: typeof what, value: T) =>
      async () => {
        if (of === what && fails.now) throw new PortError('throttled', 'cloud.list', 'Rate exceeded');
        return value;
      };
    const pools = warmPools(
      {
        pooled: answer('pooled', new Set(['cpu'])),
        lifecycles: answer('lifecycles', new Map([[id, 'Warmed:Stopped']])),
      },
      { clock },
    );
    return { pools, clock, fails };
  }

  it('those of a group with a pool are told with the doubt, and all others as ever', async () => {
    const { pools, fails } = failing('lifecycles');
    const told = await pools.sift([one({}), plain, foreign, over]);
    expect(told).toEqual([
      { ...one({}), unsure: expect.stringContaining('could not be asked: Rate exceeded') },
      ...[plain, foreign, over],
    ]);
    fails.now = false;
    expect(await pools.sift([one({}), plain, foreign, over])).toEqual([plain, foreign, over]);
  });

  it('where not even the groups with a pool can be told, all that has no token is in doubt, also if they were told before', async () => {
    const { pools, clock, fails } = failing('pooled');
    const doubts = async () =>
      (await pools.sift([one({}), plain, foreign, over])).map(({ unsure }) => unsure !== undefined);
    expect(await doubts()).toEqual([true, false, true, false]);
    fails.now = false;
    expect(await doubts()).toEqual([false, false, false]);
    fails.now = true;
    clock.ms += minute;
    expect(await doubts()).toEqual([true, false, true, false]);
  });

  it('what was given back and may be warm by now is not told as terminated', async () => {
    const { pools, clock, fails } = failing('lifecycles');
    const ours = one({ token, state: 'stopped' });
    pools.ends(id);
    clock.ms += minute;
    expect((await pools.sift([ours]))[0]).toMatchObject({ state: 'stopped', unsure: expect.any(String) });
    fails.now = false;
    expect(await pools.sift([ours])).toEqual([{ ...ours, state: 'terminated' }]);
  });

  it('a bug is no doubt, and is thrown', async () => {
    const bug = async () => {
      throw new TypeError('not a function');
    };
    const pools = warmPools({ pooled: bug, lifecycles: bug }, { clock: { now: () => instant(0) } });
    await expect(pools.sift([one({})])).rejects.toThrow(TypeError);
  });
});
