/** Which machines a plan chooses, and what the oldest burst that finds no room keeps from others. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type PlanGroup, podCapacity } from '../../src/decide/group.ts';
import { holdMs, type PlanBurst, plan } from '../../src/decide/plan.ts';
import type { Bound } from '../../src/decide/room.ts';
import { burstId, clusterName, instanceId, instant, launchToken } from '../../src/domain/ids.ts';
import type { Instance, InstanceState, InstanceType } from '../../src/domain/instance.ts';
import type { NodeGroup } from '../../src/domain/policy.ts';
import { fits, GiB, minus, nothing, plus, type Resources } from '../../src/domain/resources.ts';

const minute = 60_000;
const hour = 60 * minute;
const now = instant(1_700_000_000_000);
const type = (name: string, vcpus: number, gib: number, gpus = 0): InstanceType => ({
  ...{ name, vcpus, memoryBytes: gib * GiB, gpus },
});
const small = type('small', 4, 16);
const large = type('large', 16, 64);
const wide = type('wide', 4, 64);
const gpu = type('gpu', 16, 64, 2);
const types = [small, large, wide, gpu];
const dollar = 1_000_000;
const group: NodeGroup = {
  ...{ name: 'cpu', launchTemplate: 't', types: types.map((t) => t.name), zones: ['a', 'b'], vcpuPerCpu: 1 },
  overhead: { cpuMillis: 0, memoryBytes: 0, extended: {} },
  ...{ capacityType: 'on-demand', max: 4, idleMs: 5 * minute, joinTimeoutMs: 1, lostAfterMs: 1 },
  taint: { key: 'k', value: 'v', effect: 'NoSchedule' },
  devices: { gpu: { kind: 'resource', name: 'nvidia.com/gpu', perNode: undefined, perGpu: 1, always: 0 } },
  prices: { small: 0.2 * dollar, large: 0.7 * dollar, wide: 0.3 * dollar, gpu: 5 * dollar },
};
const offered: PlanGroup = { group, types };
const roomy: PlanGroup = { ...offered, group: { ...group, max: 1_000 } };

const need = (cpus: number, gib = cpus, gpus = 0): Resources => ({
  ...{ cpuMillis: cpus * 1000, memoryBytes: gib * GiB },
  extended: gpus === 0 ? {} : { 'nvidia.com/gpu': gpus },
});
const burst = (n: number, over: Partial<PlanBurst> = {}): PlanBurst => ({
  ...{ id: burstId(`b${n}`), group: 'cpu', needs: need(1), limitMs: hour, since: now },
  ...over,
});
const machine = (n: number, of: InstanceType = small, state: InstanceState = 'ready'): Instance => ({
  ...{ id: instanceId(`i${n}`), cluster: clusterName('c'), group: 'cpu', state, rev: 1 },
  token: launchToken(`t${n}`),
  spec: {
    ...{ group: 'cpu', launchTemplate: 't', types: [of.name], zones: ['a'], capacityType: 'on-demand' },
    tags: {},
  },
  ...{ cloudId: undefined, type: of.name, zone: 'a', node: undefined, capacity: podCapacity(of, group) },
  ...{ createdAt: instant(0), enteredAt: instant(0), launchedAt: undefined, readyAt: undefined },
  ...{ idleSince: undefined, endedAt: undefined, why: undefined, trouble: undefined },
});
const on = (n: number, cpus: number, endsAt: number): Bound => ({
  ...{ instance: instanceId(`i${n}`), needs: need(cpus), endsAt },
});
const made = (
  bursts: readonly PlanBurst[],
  up: readonly Instance[] = [],
  bound: readonly Bound[] = [],
  of = roomy,
) => plan(bursts, up, bound, [of], { now });
const bought = (p: ReturnType<typeof plan>) => p.launch.map((l) => [l.types[0], l.bursts.length]);

describe('what is bought', () => {
  it('is one larger machine where that is cheaper than several small ones, and a small one where it is not', () => {
    const eight = Array.from({ length: 16 }, (_, n) => burst(n));
    expect(bought(made(eight))).toEqual([['large', 16]]);
    expect(bought(made([burst(1), burst(2)]))).toEqual([['small', 2]]);
    expect(bought(made([burst(1, { needs: need(3, 40) })]))).toEqual([['wide', 1]]);
  });

  it('does not put a short job with a long one where a small machine for the long one is cheaper', () => {
    const long = Array.from({ length: 4 }, (_, n) => burst(n, { limitMs: 24 * hour }));
    const short = Array.from({ length: 12 }, (_, n) => burst(10 + n, { limitMs: 10 * minute }));
    expect(bought(made([...short, ...long])).sort()).toEqual([
      ['small', 4],
      ...Array.from({ length: 3 }, () => ['small', 4]),
    ]);
  });

  it('may come as whatever else holds the load and costs at most twice as much, the cheapest first', () => {
    const { launch } = made([burst(1, { needs: need(4, 16) })]);
    expect(launch[0]?.types).toEqual(['small', 'wide']);
    // What the least of them leaves.
    expect(launch[0]?.capacity).toMatchObject({ cpuMillis: 4000, memoryBytes: 16 * GiB });
  });

  it('is nothing of which the cloud had none a moment ago, in all its zones', () => {
    const lack = (name: string, zone: string) => ({ type: name, zone, capacityType: 'on-demand' as const });
    const one = made([burst(1)], [], [], { ...roomy, lacking: [lack('small', 'a')] });
    expect(bought(one)).toEqual([['small', 1]]);
    const both = { ...roomy, lacking: ['a', 'b'].map((z) => lack('small', z)) };
    expect(bought(made([burst(1)], [], [], both))).toEqual([['wide', 1]]);
    const all = { ...roomy, lacking: types.flatMap((t) => ['a', 'b'].map((z) => lack(t.name, z))) };
    expect(made([burst(1)], [], [], all).noRoom).toEqual([
      expect.objectContaining({
        forGood: false,
        why: expect.stringContaining('the cloud had none of small, large'),
      }),
    ]);
    // As spot there may be some.
    expect(bought(made([burst(1, { capacityType: 'spot' })], [], [], all))).toEqual([['small', 1]]);
  });

  it('is nothing at all while the group is halted; what is up is used', () => {
    const halted = { ...roomy, halted: 'node group cpu launches nothing: its machines do not boot' };
    const p = made([burst(1, { needs: need(4) }), burst(2)], [machine(1)], [], halted);
    expect(p.assign.map((a) => a.burst)).toEqual(['b1']);
    expect(p.noRoom).toEqual([{ burst: 'b2', why: halted.halted, forGood: false }]);
  });

  it('goes by size where no type has a price, and takes an unpriced type last', () => {
    const free = { ...roomy, group: { ...roomy.group, prices: undefined } };
    expect(bought(made([burst(1)], [], [], free))).toEqual([['small', 1]]);
    const some = { ...roomy, group: { ...roomy.group, prices: { wide: 0.3 * dollar } } };
    expect(bought(made([burst(1)], [], [], some))).toEqual([['wide', 1]]);
  });
});

describe('what is up', () => {
  it('is filled where it fits best, and what is ready before what boots', () => {
    const up = [machine(1, large), machine(2, small)];
    expect(made([burst(1, { needs: need(3) })], up).assign).toEqual([{ burst: 'b1', instance: 'i2' }]);
    const boots = [machine(1, small, 'launched'), machine(2, small)];
    expect(made([burst(1, { needs: need(3) })], boots).assign).toEqual([{ burst: 'b1', instance: 'i2' }]);
  });

  it('is not kept longer for one small job where another machine runs as long anyhow', () => {
    const up = [machine(1, large), machine(2, large)];
    const bound = [on(1, 12, now + 10 * minute), on(2, 1, now + 2 * hour)];
    expect(made([burst(1)], up, bound).assign).toEqual([{ burst: 'b1', instance: 'i2' }]);
  });

  it('does not take a job that may run for much longer than is expected, where one of its own is cheap', () => {
    const up = [machine(1, large)];
    const bound = [on(1, 12, now + 30 * minute)];
    const asked = (limitMs: number) => made([burst(1, { expectedMs: 30 * minute, limitMs })], up, bound);
    expect(bought(asked(24 * hour))).toEqual([['small', 1]]);
    // As long as the machine is there for anyhow, and no longer.
    expect(asked(30 * minute).assign).toEqual([{ burst: 'b1', instance: 'i1' }]);
  });

  it('does not take a job that may well be its last, and that is the likelier the shorter what is there runs', () => {
    const job = burst(1, { limitMs: 24 * hour, expectedMs: hour });
    const beside = (expectedMs: number) => ({ ...on(1, 1, now + 24 * hour), expectedAt: now + expectedMs });
    const [soonGone, thereForLong] = [beside(1.5 * hour), beside(12 * hour)];
    expect(made([job], [machine(1, large)], [soonGone]).launch[0]?.types[0]).toBe('small');
    expect(made([job], [machine(1, large)], [thereForLong]).assign).toHaveLength(1);
  });

  it('does not get its idle minutes for nothing: they come again after the job', () => {
    const job = burst(1, { limitMs: 5 * minute });
    const idle = (of: InstanceType) => ({ ...machine(1, of), idleSince: now });
    expect(made([job], [idle(large)]).launch[0]?.types[0]).toBe('small');
    expect(made([job], [idle(small)]).assign).toHaveLength(1);
  });

  it('and kept warm for hours is taken: those hours are paid for', () => {
    const spare = { ...machine(1), idleSince: instant(now - 2 * hour) };
    expect(made([burst(1, { limitMs: 5 * minute })], [spare]).assign).toHaveLength(1);
  });

  it('with GPUs is kept for who asks for them, unless nothing else would ever hold the job', () => {
    const up = [machine(1, gpu)];
    const both = made([burst(1), burst(2, { needs: need(1, 1, 1) })], up);
    expect(both.assign).toEqual([{ burst: 'b2', instance: 'i1' }]);
    expect(bought(both)).toEqual([['small', 1]]);
    const only = { group: { ...group, types: ['gpu'] }, types: [gpu] };
    expect(made([burst(1)], up, [], only).assign).toEqual([{ burst: 'b1', instance: 'i1' }]);
  });
});

describe('the oldest that finds no room', () => {
  const full = { ...offered, group: { ...group, max: 3, types: ['small'] }, types: [small] };
  const up = [machine(1), machine(2), machine(3)];
  const gang = burst(1, { nodes: 3, needs: need(4), limitMs: hour });
  /** Two are free, the third in half an hour. */
  const bound = [on(3, 4, now + 30 * minute)];

  it('keeps what it could have: others go there only if they are gone before it can begin', () => {
    const late = burst(2, { limitMs: 31 * minute });
    const soon = burst(3, { limitMs: 29 * minute });
    const p = made([gang, late, soon], up, bound, full);
    expect(p.assign.map((a) => a.burst)).toEqual(['b3']);
    expect(p.noRoom.map((n) => n.burst)).toEqual(['b1', 'b2']);
  });

  it('keeps it for ten minutes', () => {
    const late = burst(2, { limitMs: 31 * minute });
    const waited = { ...gang, since: instant(now - holdMs) };
    expect(made([waited, late], up, bound, full).assign.map((a) => a.burst)).toEqual(['b2']);
  });

  it('is one in each group: the next one that finds no room keeps nothing', () => {
    const next = burst(2, { nodes: 3, needs: need(1), limitMs: hour });
    const p = made([gang, next, burst(3, { limitMs: 20 * minute })], up, bound, full);
    expect(p.assign.map((a) => a.burst)).toEqual(['b3']);
  });

  it('leaves to others what it does not need beside them', () => {
    const lean = { ...gang, needs: need(2) };
    const p = made([lean, burst(2, { needs: need(2) }), burst(3, { needs: need(3) })], up, bound, full);
    expect(p.assign.map((a) => a.burst)).toEqual(['b2']);
  });

  it('keeps what may still be launched too', () => {
    const busy = [on(1, 4, now + 30 * minute)];
    const p = made([burst(1, { nodes: 3, needs: need(4) }), burst(2)], [machine(1)], busy, full);
    expect(p.launch).toEqual([]);
    expect(p.noRoom.map((n) => n.burst)).toEqual(['b1', 'b2']);
  });
});

describe('property', () => {
  const wish = fc.record({
    ...{ cpus: fc.integer({ min: 1, max: 17 }), gib: fc.integer({ min: 1, max: 66 }) },
    ...{ gpus: fc.constantFrom(0, 0, 0, 1), nodes: fc.constantFrom(1, 1, 1, 2, 3) },
    ...{
      minutes: fc.integer({ min: 5, max: 200 }),
      ago: fc.integer({ min: 0, max: 15 }),
      spot: fc.boolean(),
    },
  });
  const there = fc.record({
    ...{
      of: fc.constantFrom(...types),
      cpus: fc.integer({ min: 0, max: 4 }),
      ends: fc.integer({ min: 1, max: 60 }),
    },
    state: fc.constantFrom<InstanceState>('ready', 'launched', 'draining'),
  });
  const scene = fc.record({
    ...{ wishes: fc.array(wish, { maxLength: 25 }), there: fc.array(there, { maxLength: 6 }) },
    max: fc.integer({ min: 0, max: 12 }),
  });
  const setUp = ({ wishes, there: has, max }: Scene) => {
    const bursts = wishes.map((w, n) =>
      burst(n, {
        ...{ needs: need(w.cpus, w.gib, w.gpus), nodes: w.nodes, limitMs: w.minutes * minute },
        ...{ since: instant(now - w.ago * minute), capacityType: w.spot ? ('spot' as const) : undefined },
      }),
    );
    const up = has.map((h, n) => machine(n, h.of, h.state));
    const bound = has.map((h, n) => on(n, h.cpus, now + h.ends * minute));
    const of = { ...offered, group: { ...group, max } };
    return { bursts, up, bound, of, made: () => plan(bursts, up, bound, [of], { now }) };
  };

  it('nothing is over-committed, a gang is all or nothing on machines of its own, caps hold, every burst is told of once', () => {
    fc.assert(
      fc.property(scene, (of) => {
        const { bursts, up, bound, made: again } = setUp(of);
        const p = again();
        const needsOf = (id: string) => bursts.find((b) => b.id === id)?.needs ?? nothing;
        for (const i of up) {
          const homes = p.assign.filter((a) => a.instance === i.id);
          const before = bound.filter((b) => b.instance === i.id).map((b) => b.needs);
          const free = before.reduce(minus, i.capacity);
          if (homes.length > 0)
            expect(fits(homes.map((a) => needsOf(a.burst)).reduce(plus), free)).toBe(true);
          if (i.state === 'draining') expect(homes).toEqual([]);
        }
        for (const l of p.launch) {
          expect(fits(l.bursts.map(needsOf).reduce(plus), l.capacity)).toBe(true);
          expect(new Set(l.bursts).size).toBe(l.bursts.length);
          for (const name of l.types) {
            const leaves = podCapacity(types.find((t) => t.name === name) ?? small, group);
            expect(fits(l.capacity, leaves)).toBe(true);
          }
        }
        for (const b of bursts) {
          const homes = p.assign.filter((a) => a.burst === b.id).map((a) => a.instance);
          const fresh = p.launch.filter((l) => l.bursts.includes(b.id));
          const none = p.noRoom.filter((n) => n.burst === b.id);
          expect(new Set(homes).size).toBe(homes.length);
          expect(homes.length + fresh.length).toBe(none.length === 0 ? b.nodes : 0);
          for (const l of fresh) expect(l.capacityType).toBe(b.capacityType ?? 'on-demand');
        }
        expect(p.launch.length).toBeLessThanOrEqual(Math.max(0, of.max - up.length));
        expect(again()).toEqual(p);
      }),
      { numRuns: 150 },
    );
  });

  it('who is older and asks for no more, nor for longer, is not passed over', () => {
    fc.assert(
      fc.property(scene, (of) => {
        const { bursts, made: again } = setUp(of);
        const p = again();
        const told = new Map(p.noRoom.map((n) => [n.burst, n]));
        for (const [n, older] of bursts.entries()) {
          if (told.get(older.id)?.forGood !== false) continue;
          for (const younger of bursts.slice(n + 1)) {
            const asksMore =
              fits(older.needs, younger.needs) &&
              (older.nodes ?? 1) <= (younger.nodes ?? 1) &&
              (older.limitMs ?? 0) <= (younger.limitMs ?? 0) &&
              older.capacityType === younger.capacityType &&
              Object.keys(older.needs.extended).length === Object.keys(younger.needs.extended).length;
            if (asksMore) expect([younger.id, told.has(younger.id)]).toEqual([younger.id, true]);
          }
        }
      }),
      { numRuns: 150 },
    );
  });
});

interface Scene {
  readonly wishes: readonly {
    readonly cpus: number;
    readonly gib: number;
    readonly gpus: number;
    readonly nodes: number;
    readonly minutes: number;
    readonly ago: number;
    readonly spot: boolean;
  }[];
  readonly there: readonly {
    readonly of: InstanceType;
    readonly cpus: number;
    readonly ends: number;
    readonly state: InstanceState;
  }[];
  readonly max: number;
}
