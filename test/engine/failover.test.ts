/** What becomes of jobs where the cloud has nothing, answers too much, or gives machines that do not boot: the real engine on the models. */
import { describe, expect, it } from 'vitest';
import { breakerInWords } from '../../src/domain/boot.ts';
import { PortError } from '../../src/domain/fault.ts';
import { instant } from '../../src/domain/ids.ts';
import type { NodeGroup } from '../../src/domain/policy.ts';
import { openGroup } from '../../src/engine/capacity.ts';
import { ClusterEngine } from '../../src/engine/cluster.ts';
import { scriptOf } from '../../src/sim/models/keeper-work.ts';
import { newId } from '../contract/samples.ts';
import { cluster, group, minute } from './chaos/centre.ts';
import { breaches } from './chaos/check.ts';
import { Run } from './chaos/run.ts';
import type { Scenario } from './chaos/scenario.ts';

const calm: Scenario = {
  ...{ seed: 3, onLost: 'requeue', mode: 'auto', lowered: undefined, ramp: undefined, idleMs: minute },
  ...{ budget: 100_000_000, fullMs: 0, people: [], world: [], faults: [], kills: [] },
  ...{ pauses: [], secondAtMs: undefined, slowness: 0, jobs: [] },
};

function scene(over: Partial<Scenario> = {}) {
  const run = new Run({ ...calm, ...over }, () => new Promise((resolve) => setImmediate(resolve)), true);
  const begun = run.time.now();
  return {
    run,
    at: (minutes: number) => run.time.run(instant(begun + minutes * minute)),
    submit: (user = 'alice', cpus = 3, nodes = 1) =>
      run.slurm.submit(user, {
        ...{ partition: 'cloud', cpusPerTask: cpus, timeMs: 60 * minute, work: { ms: minute, exit: 0 } },
        ...(nodes === 1 ? {} : { minNodes: nodes, maxNodes: nodes, tasks: nodes }),
        script: scriptOf({ ms: minute, exit: { code: 0 } }),
      }),
    state: (ref: string) => run.slurm.truth().find((j) => j.ref === ref)?.state,
    bursts: async (ref: Parameters<Run['store']['burstsOfJob']>[1]) =>
      [...(await run.store.burstsOfJob(cluster, ref))].reverse(),
    bought: async () => [...(await run.store.instances(99))].reverse(),
    ends: async () => {
      run.stop();
      expect(await breaches(run)).toEqual([]);
    },
  };
}

describe('where the cloud has none', () => {
  it('of a type in any zone, what costs little more comes in the same call, and nobody asks for it again for three minutes', async () => {
    const s = scene();
    s.run.cloud.limit({ type: 'm.small' }, { atMost: 0 });
    s.run.startGateway();
    const first = s.submit();
    await s.at(2);
    const second = s.submit('bob', 8);
    await s.at(4);
    const bought = await s.bought();
    expect(bought.map((i) => [i.type, i.spec.types])).toEqual([
      ['m.large', ['m.small', 'm.large']],
      // It holds a whole node of theirs beside nothing else, and the small ones are known to be out.
      ...bought.slice(1).map((i) => ['m.large', i.spec.types]),
    ]);
    for (const later of bought.slice(1)) expect(later.spec.types).toEqual(['m.large']);
    await s.at(10);
    expect([s.state(first), s.state(second)]).toEqual(['COMPLETED', 'COMPLETED']);
    await s.ends();
  });

  it('for some minutes, the job is planned again and runs: it keeps its place and its money', async () => {
    const s = scene();
    s.run.cloud.switch('no-capacity', true);
    s.run.startGateway();
    const ref = s.submit();
    await s.at(5);
    const [waits] = await s.bursts(ref);
    expect(waits).toMatchObject({
      state: 'reserved',
      seeking: { why: expect.stringContaining('no capacity') },
    });
    expect(waits?.trouble?.text).toContain('the cloud had none of m.small, m.large (on-demand)');
    const asked = (await s.bought()).length;
    // All of it is remembered for three minutes.
    expect(asked).toBeLessThanOrEqual(2);
    s.run.cloud.switch('no-capacity', false);
    await s.at(20);
    expect((await s.bursts(ref)).map((b) => b.state)).toEqual(['settled']);
    expect(s.state(ref)).toBe('COMPLETED');
    await s.ends();
  });

  it('is asked again, and waited for, for as long as the group says', async () => {
    const s = scene({ groups: [{ ...group, soldOutMs: 20_000, roomMs: 2 * minute }] });
    s.run.cloud.switch('no-capacity', true);
    s.run.startGateway();
    const ref = s.submit();
    await s.at(1.9);
    // Three minutes, as where a group says nothing, would have been one.
    expect((await s.bought()).length).toBeGreaterThan(3);
    await s.at(3);
    const [first] = await s.bursts(ref);
    expect(first).toMatchObject({
      state: 'returned',
      cause: { text: expect.stringMatching(/for 2 minutes: .*; the cloud said: no capacity/) },
    });
    await s.ends();
  });

  it('for longer than ten minutes, the job goes back to its partition and is told why', async () => {
    const s = scene();
    s.run.cloud.switch('no-capacity', true);
    s.run.startGateway();
    const ref = s.submit();
    await s.at(13);
    const [first] = await s.bursts(ref);
    expect(first?.state).toBe('returned');
    expect(first?.cause).toMatchObject({
      kind: 'no_capacity',
      text: expect.stringContaining('for 10 minutes'),
    });
    // Nothing was bought for it, so it may go again.
    expect(first?.futile).toBeUndefined();
    const told = await s.run.store.receipts(cluster, ref, 5);
    expect(told.some((r) => r.text.includes('given back: no place in node group cpu'))).toBe(true);
    await s.ends();
  });

  it('and one zone’s subnet is full: the zone is left out for every type', async () => {
    const s = scene();
    s.run.cloud.limit({ zone: 'eu-sim-1a' }, { code: 'InsufficientFreeAddressesInSubnet' });
    s.run.startGateway();
    s.submit();
    await s.at(1);
    s.submit('bob', 8);
    await s.at(6);
    const bought = await s.bought();
    expect(bought.map((i) => i.zone)).toEqual(bought.map(() => 'eu-sim-1b'));
    const later = bought.slice(1);
    expect(later.length).toBeGreaterThan(0);
    for (const { spec } of later)
      expect(spec.without?.map((p) => p.zone)).toEqual(spec.types.map(() => 'eu-sim-1a'));
    await s.ends();
  });

  it('throttling is no lack: nothing is remembered, and it is asked again', async () => {
    const s = scene();
    s.run.cloud.switch('throttle-launches', true);
    s.run.startGateway();
    const ref = s.submit();
    await s.at(1);
    s.run.cloud.switch('throttle-launches', false);
    await s.at(8);
    expect(s.state(ref)).toBe('COMPLETED');
    const bought = await s.bought();
    expect(bought.filter((i) => i.why?.startsWith('throttled')).length).toBeGreaterThan(0);
    for (const { spec } of bought)
      expect([spec.types, spec.without]).toEqual([['m.small', 'm.large'], undefined]);
    await s.ends();
  });
});

describe('machines that do not boot', () => {
  const groups = [{ ...group, bootFailures: 3, bootRetryMs: 60 * minute }];
  const broken = () => {
    const s = scene({ groups });
    s.run.cloud.switch('never-joins', true);
    s.run.startGateway();
    for (const user of ['alice', 'bob', 'alice']) s.submit(user, 8);
    return s;
  };
  const tripped = () => expect.stringContaining('3 machines in a row did not boot');

  it('end launching in their group after so many in a row, with the likely cause from a console', async () => {
    const s = broken();
    await s.at(8);
    const [breaker] = await s.run.store.breakers(cluster);
    expect(breaker).toMatchObject({ group: 'cpu', by: 'spillway', why: tripped() });
    expect(breaker?.why).toContain('it does not reach the cluster');
    expect(breaker?.why).toContain('Unable to register node');
    const launched = (await s.bought()).length;
    const late = s.submit('bob');
    await s.at(20);
    expect((await s.bought()).length).toBe(launched);
    const [told] = await s.run.store.receipts(cluster, late, 1);
    expect(told?.decision.because.find((r) => r.rule === 'drained')?.measured).toBe(
      breaker && breakerInWords(breaker),
    );
    await s.ends();
  });

  it('a person lets it launch again, and what waited runs', async () => {
    const s = broken();
    await s.at(8);
    s.run.cloud.switch('never-joins', false);
    const late = s.submit('bob');
    await s.at(12);
    await openGroup(s.run.store, cluster, 'cpu', 'alice@gw', 'the security group is mended');
    await s.at(25);
    expect(await s.run.store.breakers(cluster)).toEqual([]);
    expect(s.state(late)).toBe('COMPLETED');
    await s.ends();
  });

  it('its time over it launches again, and the first that fails then ends it once more', async () => {
    const s = scene({ groups: [{ ...groups[0], ...group, bootFailures: 3, bootRetryMs: 20 * minute }] });
    s.run.cloud.switch('never-joins', true);
    s.run.startGateway();
    for (const user of ['alice', 'bob', 'alice']) s.submit(user, 8);
    await s.at(8);
    const [first] = await s.run.store.breakers(cluster);
    const before = (await s.bought()).length;
    s.submit('bob');
    await s.at(45);
    const [second] = await s.run.store.breakers(cluster);
    expect(first).toMatchObject({ why: tripped() });
    expect(second?.why).toContain('a machine did not boot');
    expect((await s.bought()).length).toBeGreaterThan(before);
    const turns = await s.run.store.audit(`breaker/${cluster}/cpu`);
    expect(turns.slice(0, 3).map((t) => t.to)).toEqual(['tripped', 'closed', 'tripped']);
    await s.ends();
  });

  it('a job for which machines were launched twice and whose pod never ran is not launched again until a person says so', async () => {
    const s = scene();
    s.run.cloud.switch('never-joins', true);
    s.run.startGateway();
    const ref = s.submit();
    await s.at(60);
    expect((await s.bursts(ref)).map((b) => [b.state, b.futile])).toEqual([
      ['returned', true],
      ['returned', true],
    ]);
    const [told] = await s.run.store.receipts(cluster, ref, 1);
    expect(told?.decision.because.find((r) => !r.pass)?.measured).toBe(
      'machines were launched for it 2 times, and its pod never ran',
    );
    await s.ends();
  });
});

describe('where one of two node groups is sold out', () => {
  const cheap: NodeGroup = { ...group, name: 'cheap', types: ['m.small'], prices: { 'm.small': 200_000 } };
  const dear: NodeGroup = { ...group, name: 'dear', types: ['m.large'], prices: { 'm.large': 400_000 } };
  const two = (over: Partial<NodeGroup> = {}) => {
    const s = scene({ groups: [cheap, { ...dear, ...over }] });
    s.run.cloud.limit({ type: 'm.small' }, { atMost: 0 });
    s.run.startGateway();
    return s;
  };

  it('a job goes on to the other at no more than is held for it, and keeps its burst; one after it goes there at once', async () => {
    const s = two();
    const first = s.submit();
    await s.at(2);
    const second = s.submit('bob');
    await s.at(8);
    expect([s.state(first), s.state(second)]).toEqual(['COMPLETED', 'COMPLETED']);
    const of = [...(await s.bursts(first)), ...(await s.bursts(second))];
    expect(of).toMatchObject([
      { state: 'settled', group: 'dear', price: { rates: { 'm.large': expect.any(Number) } } },
      { state: 'settled', group: 'dear' },
    ]);
    expect(of[1]?.seeking).toBeUndefined();
    const told = await s.run.store.receipts(cluster, second, 5);
    expect(told.find((r) => r.id === of[1]?.receipt)?.basis?.passedOver).toMatchObject([
      { group: 'cheap', why: expect.stringContaining('the cloud had none') },
    ]);
    await s.ends();
  });

  it('what may cost more there than is held for it stays, and goes home when its time is over', async () => {
    const s = two({ prices: { 'm.large': 4_000_000 } });
    const ref = s.submit();
    await s.at(8);
    expect(await s.bursts(ref)).toMatchObject([{ state: 'reserved', group: 'cheap' }]);
    await s.at(13);
    expect((await s.bursts(ref))[0]).toMatchObject({ state: 'returned', group: 'cheap' });
    await s.ends();
  });

  it('what the other measures otherwise stays: it was judged by this one’s measure', async () => {
    const s = two({ vcpuPerCpu: 1.5 });
    const ref = s.submit();
    await s.at(13);
    expect((await s.bursts(ref))[0]).toMatchObject({ state: 'returned', group: 'cheap' });
    await s.ends();
  });
});

describe('where the types of one of two node groups cannot be read', () => {
  const retired: NodeGroup = { ...group, name: 'retired', types: ['m.gone'], prices: { 'm.gone': 1 } };

  it('only that group is out: the others are bought from, and what waits for it does not go home for that', async () => {
    const s = scene({ groups: [retired, group] });
    s.run.startGateway();
    const ref = s.submit();
    await s.at(8);
    expect(s.state(ref)).toBe('COMPLETED');
    expect(await s.bursts(ref)).toMatchObject([{ state: 'settled', group: 'cpu' }]);
    await s.ends();
  });

  it('it is said once, the others are not asked about again, and the group is back when its types can be read', async () => {
    const [lines, asked]: [string[], string[]] = [[], []];
    let [at, away] = [1_800_000_000_000, true];
    const cloud = {
      types: async (names: readonly string[]) => {
        asked.push(...names);
        if (away && names.includes('m.gone')) throw new PortError('invalid', 'cloud.types', 'no type m.gone');
        return names.map((name) => ({ name, vcpus: 8, memoryBytes: 2 ** 34, gpus: 0 }));
      },
    };
    const settings = { setup: { name: cluster }, groups: [retired, group], cloud };
    const ports = {
      clock: { now: () => at },
      store: { instances: async () => [] },
      log: ({ text }: { text: string }) => lines.push(text),
    };
    const engine = new ClusterEngine(settings as never, ports as never, {} as never, newId());
    for (let i = 0; i < 4; i++) {
      await engine.offer();
      at += 15_000;
    }
    expect(engine.offered.map((o) => o.group.name)).toEqual(['cpu']);
    expect(lines).toEqual([expect.stringMatching(/^node group retired: nothing is bought there: .*m\.gone/)]);
    expect(asked.filter((name) => name === 'm.small')).toHaveLength(1);
    away = false;
    await engine.offer();
    expect(engine.offered.map((o) => o.group.name)).toEqual(['retired', 'cpu']);
  });
});
