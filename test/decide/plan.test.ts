import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { podCapacity } from '../../src/decide/group.ts';
import { plan } from '../../src/decide/plan.ts';
import { burstId, clusterName, instanceId, instant, launchToken } from '../../src/domain/ids.ts';
import type { Instance, InstanceState } from '../../src/domain/instance.ts';
import type { NodeGroup } from '../../src/domain/policy.ts';
import { fits, GiB, MiB, plus, type Resources } from '../../src/domain/resources.ts';

const group: NodeGroup = {
  name: 'cpu',
  launchTemplate: 't',
  types: ['s'],
  zones: ['a'],
  vcpuPerCpu: 1,
  overhead: { cpuMillis: 100, memoryBytes: 512 * MiB, extended: {} },
  capacityType: 'on-demand',
  max: 3,
  idleMs: 1,
  joinTimeoutMs: 1,
  lostAfterMs: 1,
  taint: { key: 'k', value: 'v', effect: 'NoSchedule' },
};
const type = { name: 's', vcpus: 4, memoryBytes: 16 * GiB, gpus: 0 };
const offered = [{ group, types: [type] }];
const need = (cpuMillis: number, gib = 1): Resources => ({ cpuMillis, memoryBytes: gib * GiB, extended: {} });
const burst = (n: number, needs = need(1000)) => ({ id: burstId(`b${n}`), group: 'cpu', needs });
const instance = (n: number, state: InstanceState = 'ready'): Instance => ({
  id: instanceId(`i${n}`),
  cluster: clusterName('c'),
  group: 'cpu',
  state,
  rev: 1,
  token: launchToken(`t${n}`),
  spec: {
    group: 'cpu',
    launchTemplate: 't',
    types: ['s'],
    zones: ['a'],
    capacityType: 'on-demand',
    tags: {},
  },
  cloudId: undefined,
  type: 's',
  zone: 'a',
  node: undefined,
  capacity: podCapacity(type, group),
  createdAt: instant(0),
  enteredAt: instant(0),
  launchedAt: undefined,
  readyAt: undefined,
  idleSince: undefined,
  endedAt: undefined,
  why: undefined,
  trouble: undefined,
});

it('what is closed gets nothing new, and counts in its group all the same', () => {
  const up = [instance(1), instance(2), instance(3)];
  const closed = new Set(up.slice(0, 2).map((i) => i.id));
  const three = [burst(1, need(2000)), burst(2, need(2000)), burst(3, need(2000))];
  const made = plan(three, up, [], offered, { closed });
  expect(made.assign).toEqual([{ burst: 'b1', instance: 'i3' }]);
  expect(made.launch).toEqual([]);
  expect(made.noRoom.map((n) => [n.burst, n.forGood])).toEqual([
    ['b2', false],
    ['b3', false],
  ]);
});

describe('what nodes of a type were found to have', () => {
  const small = { ...type, name: 's' };
  const large = { ...type, name: 'l', vcpus: 8 };
  const known = (measured: NonNullable<NodeGroup['measured']>) => [
    { group: { ...group, types: ['s', 'l'], prices: { s: 100, l: 300 }, measured }, types: [small, large] },
  ];
  const room = { cpuMillis: 3_500, memoryBytes: 15 * GiB, pods: 110 };
  const onePod = (n: number, cpuMillis: number) => burst(n, { ...need(cpuMillis), pods: 1 });

  it('is what is planned of them, where it is less than the configuration says', () => {
    expect(podCapacity(small, group).cpuMillis).toBe(3_900);
    expect(plan([onePod(1, 3_600)], [], [], known({})).launch).toMatchObject([{ types: ['s'] }]);
    const { launch } = plan([onePod(1, 3_600)], [], [], known({ s: room }));
    expect(launch).toMatchObject([{ types: ['l'], capacity: { cpuMillis: 7_900 } }]);
    const more = { ...room, cpuMillis: 64_000, memoryBytes: 999 * GiB };
    expect(podCapacity(small, { ...group, measured: { s: more } })).toEqual({
      ...podCapacity(small, group),
      pods: 110,
    });
    const none = { cpuMillis: 3_000, memoryBytes: GiB, pods: 9 };
    expect(plan([onePod(1, 3_600)], [], [], known({ s: none, l: none })).noRoom).toMatchObject([
      { burst: 'b1', forGood: true },
    ]);
  });

  it('counts pods: no more go to one machine than its kubelet takes', () => {
    const three = { s: { ...room, pods: 3 }, l: { ...room, pods: 3 } };
    const many = Array.from({ length: 7 }, (_, n) => onePod(n, 100));
    const { launch } = plan(many, [], [], known(three));
    expect(launch.map(({ bursts }) => bursts.length).sort()).toEqual([1, 3, 3]);
    const up = { ...instance(1), capacity: podCapacity(small, known(three)[0]?.group ?? group) };
    const made = plan(many, [up], [{ instance: up.id, needs: { ...need(100), pods: 1 } }], known(three));
    expect(made.assign.length).toBe(2);
    expect(made.launch.map(({ bursts }) => bursts.length).sort()).toEqual([2, 3]);
    // Of one that is up since before they were counted nobody knows.
    const old = { ...instance(2), capacity: podCapacity(small, group) };
    expect(plan(many, [old], [], known(three)).assign.length).toBe(7);
  });
});

describe('plan', () => {
  it('keeps spot and on demand apart, on what is up and on what is launched', () => {
    const spot = { ...instance(1), spec: { ...instance(1).spec, capacityType: 'spot' as const } };
    const onSpot = { ...burst(1), capacityType: 'spot' as const };
    expect(plan([burst(2), onSpot], [spot], [], offered)).toMatchObject({
      assign: [{ burst: 'b1', instance: 'i1' }],
      launch: [{ capacityType: 'on-demand', bursts: ['b2'] }],
    });
    const { launch } = plan([onSpot, burst(2), { ...burst(3), capacityType: 'spot' }], [], [], offered);
    expect(launch).toMatchObject([
      { capacityType: 'spot', bursts: ['b1', 'b3'] },
      { capacityType: 'on-demand', bursts: ['b2'] },
    ]);
  });

  it('fills what is up before it launches', () => {
    const made = plan(
      [burst(1), burst(2)],
      [instance(1)],
      [{ instance: instanceId('i1'), needs: need(2000) }],
      offered,
    );
    expect(made.assign).toEqual([{ burst: 'b1', instance: 'i1' }]);
    expect(made.launch.map((l) => l.bursts)).toEqual([['b2']]);
  });

  it('one launch serves many', () => {
    expect(
      plan(
        [1, 2, 3].map((n) => burst(n)),
        [],
        [],
        offered,
      ).launch.map((l) => l.bursts),
    ).toEqual([['b1', 'b2', 'b3']]);
  });

  it('never binds to what is on its way out', () => {
    for (const state of ['draining', 'terminating', 'never_joined', 'gone'] as const)
      expect(plan([burst(1)], [instance(1, state)], [], offered).assign, state).toEqual([]);
  });

  it('at the maximum it waits, and says so; what fits no type is given up', () => {
    const full = [1, 2, 3].map((n) => instance(n, 'terminating'));
    expect(plan([burst(1)], full, [], offered).noRoom).toEqual([
      expect.objectContaining({ burst: 'b1', forGood: false }),
    ]);
    expect(plan([burst(1, need(3901))], [], [], offered).noRoom).toEqual([
      expect.objectContaining({ burst: 'b1', forGood: true }),
    ]);
  });

  const several = (n: number, nodes: number, needs = need(1000)) => ({ ...burst(n, needs), nodes });

  it('one of several nodes gets as many instances, those that are up first', () => {
    const made = plan([several(1, 3)], [instance(1)], [], offered);
    expect(made.assign).toEqual([{ burst: 'b1', instance: 'i1' }]);
    expect(made.launch.map((l) => l.bursts)).toEqual([['b1'], ['b1']]);
    expect(made.noRoom).toEqual([]);
  });

  it('or none of them: what there is stays for those behind it', () => {
    const busy = [{ instance: instanceId('i2'), needs: need(3800) }];
    const made = plan([several(1, 3), burst(2)], [instance(1), instance(2)], busy, offered);
    expect(made.noRoom).toEqual([expect.objectContaining({ burst: 'b1', forGood: false })]);
    expect(made.assign).toEqual([{ burst: 'b2', instance: 'i1' }]);
    expect(made.launch).toEqual([]);
  });

  it('more nodes than the group may ever have are given up, with the reason', () => {
    expect(plan([several(1, 4)], [], [], offered).noRoom).toEqual([
      { burst: 'b1', why: 'node group cpu has at most 3 instances, for 4 nodes', forGood: true },
    ]);
  });

  it('property: a burst of several nodes has all of them on instances of their own, or nothing', () => {
    const wish = fc.record({ nodes: fc.integer({ min: 1, max: 4 }), cpu: fc.integer({ min: 1, max: 4000 }) });
    fc.assert(
      fc.property(fc.array(wish, { maxLength: 12 }), fc.integer({ min: 0, max: 3 }), (wanted, up) => {
        const bursts = wanted.map((w, n) => several(n, w.nodes, need(w.cpu)));
        const instances = Array.from({ length: up }, (_, n) => instance(n));
        const made = plan(bursts, instances, [], offered);
        for (const b of bursts) {
          const homes = made.assign.filter((a) => a.burst === b.id).map((a) => a.instance);
          const launched = made.launch.filter((l) => l.bursts.includes(b.id));
          const none = made.noRoom.some((n) => n.burst === b.id);
          expect(new Set(homes).size).toBe(homes.length);
          expect(homes.length + launched.length).toBe(none ? 0 : b.nodes);
          for (const l of launched) expect(l.bursts.filter((id) => id === b.id)).toHaveLength(1);
        }
        expect(instances.length + made.launch.length).toBeLessThanOrEqual(group.max);
      }),
    );
  });

  it('property: nothing is bound twice, forgotten, or put where it does not fit', () => {
    const needs = fc.record({ cpu: fc.integer({ min: 1, max: 5000 }), gib: fc.integer({ min: 1, max: 20 }) });
    fc.assert(
      fc.property(fc.array(needs, { maxLength: 40 }), fc.integer({ min: 0, max: 3 }), (wanted, up) => {
        const bursts = wanted.map((w, n) => burst(n, need(w.cpu, w.gib)));
        const instances = Array.from({ length: up }, (_, n) => instance(n));
        const made = plan(bursts, instances, [], offered);
        const seen = [
          ...made.assign.map((a) => a.burst),
          ...made.launch.flatMap((l) => l.bursts),
          ...made.noRoom.map((n) => n.burst),
        ];
        expect([...seen].sort()).toEqual(bursts.map((b) => b.id).sort());
        const of = (id: string): Resources => bursts.find((b) => b.id === id)?.needs ?? need(0);
        const on = (id: string) => made.assign.filter((a) => a.instance === id).map((a) => of(a.burst));
        for (const i of instances) expect(fits(on(i.id).reduce(plus, need(0, 0)), i.capacity)).toBe(true);
        for (const l of made.launch) expect(fits(l.bursts.map(of).reduce(plus), l.capacity)).toBe(true);
        expect(instances.length + made.launch.length).toBeLessThanOrEqual(
          Math.max(group.max, instances.length),
        );
      }),
    );
  });
});
