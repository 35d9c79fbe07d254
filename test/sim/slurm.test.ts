/** What only a model can be asked: the order in which Slurm's queue moves, and that the same seed moves it the same way. */
import { describe, expect, test } from 'vitest';
import { instant, type JobRef, jobRef } from '../../src/domain/ids.ts';
import { Chance } from '../../src/sim/chance.ts';
import type { SlurmModel } from '../../src/sim/models/slurm.ts';
import { place } from '../../src/sim/models/slurm-fit.ts';
import type { SlurmConfig, TrueJob } from '../../src/sim/models/slurm-types.ts';
import { SlurmRefused } from '../../src/sim/models/slurm-words.ts';
import { hour, min, s, start, world } from './slurm.world.ts';

const whole = { exclusive: true, minNodes: 2, maxNodes: 2 } as const;
const work = (ms: number) => ({ work: { ms, exit: 0 } }) as const;

describe('the queue', () => {
  test('goes by priority, then by age', async () => {
    const { model, pass, newest } = world();
    const first = model.submit('alice', { ...whole, ...work(min) });
    await pass(2 * s);
    const low = model.submit('alice', { ...whole, ...work(min), nice: 50 });
    const mid = model.submit('bob', { ...whole, ...work(min) });
    const high = model.submit('bob', { ...whole, ...work(min), priority: 500 });
    await pass(10 * min);
    const order = [first, high, mid, low].map((ref) => newest(ref).startAt ?? 0);
    expect(order).toEqual([...order].sort((a, b) => a - b));
    expect(new Set(order).size).toBe(4);
  });

  test('a short job fills a gap where it delays nobody; one that would delay the first waits', async () => {
    const { model, port, pass, newest, since } = world();
    model.submit('alice', { tasks: 4, ...work(20 * min), timeMs: 20 * min });
    await pass(2 * s);
    const wide = model.submit('alice', { ...whole, ...work(min), timeMs: 10 * min });
    await pass(2 * s);
    const long = model.submit('bob', { tasks: 2, ...work(min), timeMs: 30 * min });
    const short = model.submit('bob', { tasks: 2, ...work(min), timeMs: 15 * min });
    await pass(4 * s);
    expect((await port.job(wide))?.reason).toBe('Resources');
    expect((await port.job(short))?.reason).toBe('Priority');
    await pass(60 * s);
    expect(since(newest(short).startAt)).toBe(30);
    expect(newest(long).startAt).toBeUndefined();
    // By its time limit, which is all that Slurm knows.
    expect(since((await port.job(wide))?.startAt)).toBeGreaterThanOrEqual(20 * 60);
    await pass(40 * min);
    expect(newest(long).startAt).toBeGreaterThan(newest(wide).endAt ?? 0);
  });

  test('nobody takes the nodes that a first one waits for through another partition over them', async () => {
    const { model, port, pass } = world();
    model.partition('cloud', true);
    model.submit('alice', { tasks: 4, ...work(20 * min), timeMs: 20 * min });
    await pass(2 * s);
    const wide = model.submit('alice', { ...whole, ...work(min) });
    await pass(2 * s);
    const other = model.submit('bob', { partition: 'cloud', tasks: 2, ...work(hour), timeMs: hour });
    await pass(5 * min);
    expect(await port.job(other)).toMatchObject({ state: 'PENDING', reason: 'Resources' });
    expect(await port.job(wide)).toMatchObject({ state: 'PENDING', reason: 'Resources' });
    model.partition('cloud', false);
    await pass(30 * min);
    expect(await port.job(other)).toMatchObject({ state: 'PENDING', reason: 'PartitionDown' });
  });

  test('an array keeps to its throttle, wherever its tasks run', async () => {
    const { model, port, pass, soon } = world();
    model.host = { start: () => ({ signal: () => undefined, kill: () => undefined }) };
    const array = model.submit('alice', { array: '1-6%2', ...work(5 * min) });
    await pass(3 * s);
    const task = jobRef(`${array}_5`);
    const claimed = await port.job(task);
    if (claimed === undefined) throw new Error('no task');
    expect(claimed.reason).toBe('JobArrayTaskLimit');
    await port.move(
      task,
      { partition: 'burst', timeLimitMs: hour, minNodes: 1, maxNodes: 1, memory: claimed.memory },
      soon(),
    );
    const running = () => model.truth().filter(({ state }) => state === 'RUNNING');
    for (let i = 0; i < 20; i += 1) {
      await pass(min);
      expect(running().length).toBeLessThanOrEqual(2);
    }
    const mine = model.truth().find(({ ref }) => ref === task);
    expect(mine).toMatchObject({ state: 'RUNNING', partition: 'burst', arrayJobId: Number(array) });
    expect(mine?.id).not.toBe(Number(array));
  });

  test('tasks that wait in the same partition as their array are one row with it, as squeue shows them', async () => {
    const { model, port, soon } = world();
    const array = model.submit('alice', { array: '1-4%2', partition: 'cloud' });
    const task = jobRef(`${array}_3`);
    const spec = { timeLimitMs: 10 * min, minNodes: 1, maxNodes: 1, memory: undefined };
    await port.move(task, { ...spec, partition: 'wait' }, soon());
    const rows = async () => (await port.snapshot()).jobs.map(({ ref, arrayTask }) => [ref, arrayTask]);
    expect(await rows()).toEqual([
      [array, '1-2,4%2'],
      [task, '3'],
    ]);
    await port.move(task, { ...spec, partition: 'cloud' }, soon());
    expect(await rows()).toEqual([[array, '1-4']]);
    expect(await port.job(task)).toMatchObject({ ref: task, arrayTask: '3' });
  });

  test('a cancelled task of an array that waits leaves nothing behind', async () => {
    const { model, port, pass, soon } = world();
    const array = model.submit('alice', { array: '1-3', partition: 'cloud' });
    const task = jobRef(`${array}_2`);
    await port.cancel(task, soon());
    await pass(min);
    expect(await port.job(task)).toBeUndefined();
    expect(await port.accounting(task)).toEqual([]);
    expect((await port.snapshot()).jobs.map(({ arrayTask }) => arrayTask)).toEqual(['1,3']);
  });

  test('dependencies are met, or never', async () => {
    const { model, port, pass } = world();
    const bad = model.submit('alice', { array: '1-2', work: { ms: min, exit: 1 } });
    const good = model.submit('alice', { ...work(min) });
    const behind = (kind: 'afterany' | 'afterok' | 'afternotok', ref: JobRef) =>
      model.submit('alice', { partition: 'cloud', after: [{ kind, ref }] });
    const any = behind('afterany', bad);
    const ok = behind('afterok', bad);
    const notOk = behind('afternotok', bad);
    const never = behind('afternotok', good);
    await pass(10 * s);
    expect(await port.job(ok)).toMatchObject({ reason: 'Dependency', eligibleAt: undefined });
    expect((await port.job(ok))?.dependency).toBe(`afterok:${bad}_*(unfulfilled)`);
    await pass(2 * min);
    const reasons = await Promise.all([any, ok, notOk, never].map(async (r) => (await port.job(r))?.reason));
    expect(reasons).toEqual([
      'PartitionDown',
      'DependencyNeverSatisfied',
      'PartitionDown',
      'DependencyNeverSatisfied',
    ]);
  });

  test('nobody begins before his begin time, and from then on age counts', async () => {
    const { model, port, pass, newest, since } = world();
    const later = model.submit('alice', { ...work(min), beginInMs: 10 * min });
    await pass(5 * min);
    const waits = await port.job(later);
    expect(waits).toMatchObject({ state: 'PENDING', reason: 'BeginTime', accrueAt: undefined });
    expect(since(waits?.eligibleAt)).toBe(600);
    await pass(6 * min);
    expect(since(newest(later).startAt)).toBeGreaterThanOrEqual(600);
    expect(since(newest(later).startAt)).toBeLessThan(610);
  });

  test('who cannot end before its deadline any more is cancelled by Slurm itself, where it is looked at', async () => {
    const { model, port, pass, newest, since } = world();
    const due = { timeMs: 10 * min, deadlineInMs: 30 * min } as const;
    model.submit('alice', { ...whole, ...work(40 * min), timeMs: hour });
    await pass(2 * s);
    const late = model.submit('bob', { ...due, ...work(min) });
    const elsewhere = model.submit('bob', { ...due, ...work(min), partition: 'cloud' });
    await pass(15 * min);
    expect(await port.job(late)).toMatchObject({ state: 'PENDING' });
    expect(since((await port.job(late))?.deadlineAt)).toBe(1802);
    await pass(10 * min);
    expect(newest(late)).toMatchObject({ state: 'DEADLINE', startAt: undefined });
    expect(since(newest(late).endAt)).toBeLessThan(20 * 60 + 10);
    expect((await port.accounting(late))[0]?.state).toBe('DEADLINE');
    expect(await port.job(elsewhere)).toMatchObject({ state: 'PENDING', reason: 'PartitionDown' });
  });

  test('what can never start says why, and what is over a limit of its user', async () => {
    const { model, port, pass } = world({ qos: { normal: {}, tiny: { maxJobsPerUser: 1 } } });
    const asks = [
      { timeMs: 48 * hour },
      { minNodes: 3 },
      { cpusPerTask: 5 },
      { held: true },
      { qos: 'tiny', ...work(hour) },
      { qos: 'tiny', ...work(hour) },
    ];
    const refs = asks.map((ask) => model.submit('alice', ask));
    await pass(5 * s);
    const reasons = await Promise.all(refs.map(async (ref) => (await port.job(ref))?.reason));
    expect(reasons).toEqual([
      'PartitionTimeLimit',
      'PartitionNodeLimit',
      'PartitionConfig',
      'JobHeldUser',
      'None',
      'QOSMaxJobsPerUserLimit',
    ]);
  });

  test('what cannot be is refused in Slurm’s words', () => {
    const { model } = world();
    const words = (work: () => unknown) => {
      try {
        return work();
      } catch (error) {
        return error instanceof SlurmRefused ? error.message : error;
      }
    };
    expect(words(() => model.submit('alice', { partition: 'nowhere' }))).toBe(
      'Invalid partition name specified',
    );
    expect(words(() => model.submit('alice', { array: '3-1' }))).toBe('Invalid job array specification');
    expect(words(() => model.submit('alice', { memory: { per: 'node', mib: 5_000 } }))).toBe(
      'Requested node configuration is not available',
    );
    const ref = model.submit('alice', { partition: 'cloud' });
    expect(words(() => model.alter('bob', ref, { comment: 'x' }))).toBe(`Invalid user id for job ${ref}`);
    expect(words(() => model.alter('alice', ref, { priority: 9_999 }))).toBe(
      `Access/permission denied for job ${ref}`,
    );
    model.hold('spillway', ref);
    expect(words(() => model.release('alice', ref))).toBe(`Access/permission denied for job ${ref}`);
    expect(words(() => model.requeue('alice', ref))).toBe(`Job is pending execution for job ${ref}`);
  });
});

describe('placing', () => {
  const room = (node: string, cpus: number, memoryMib = 1_000) => ({
    ...{ node, cpus, memoryMib, allCpus: 8, allMemoryMib: 1_000 },
  });
  const need = {
    ...{ minNodes: 1, maxNodes: undefined, tasks: undefined, cpusPerTask: 1, exclusive: false },
    memory: { per: 'cpu', mib: 100 },
  } as const;

  test('takes the snuggest room, and spreads no further than it must', () => {
    expect(place({ ...need, tasks: 2 }, [room('a', 8), room('b', 3), room('c', 2)])).toEqual([
      { node: 'c', cpus: 2, memoryMib: 200 },
    ]);
    expect(
      place({ ...need, tasks: 10 }, [room('a', 4), room('b', 8), room('c', 4)])?.map((x) => x.cpus),
    ).toEqual([8, 2]);
    expect(place({ ...need, tasks: 10, maxNodes: 1 }, [room('a', 4), room('b', 8)])).toBeUndefined();
  });

  test('takes all nodes that a range allows, all of a node that is asked for, and never more memory than there is', () => {
    expect(place({ ...need, maxNodes: 4 }, [room('a', 1), room('b', 1), room('c', 1)])).toHaveLength(3);
    const wholeNode = { ...need, exclusive: true, memory: { per: 'node', mib: 0 } } as const;
    expect(place(wholeNode, [room('a', 7), room('b', 8, 900)])).toBeUndefined();
    expect(place(wholeNode, [room('a', 8)])).toEqual([{ node: 'a', cpus: 8, memoryMib: 1_000 }]);
    expect(place({ ...need, memory: { per: 'cpu', mib: 600 }, tasks: 2 }, [room('a', 8)])).toBeUndefined();
  });
});

describe('time and chance', () => {
  /** A day of people: they submit, cancel, hold, requeue; nodes fail; jobs are moved. */
  async function day(
    seed: number,
    look: (model: SlurmModel) => void = () => undefined,
  ): Promise<readonly TrueJob[]> {
    const chances: Partial<SlurmConfig> = { launchMs: [200, 900], completingMs: [50, 300] };
    const { model, pass, host } = world(chances, seed);
    model.host = host;
    const chance = new Chance(seed);
    const refs: JobRef[] = [];
    const ignoring = (work: () => unknown) => {
      try {
        work();
      } catch (error) {
        if (!(error instanceof SlurmRefused)) throw error;
      }
    };
    for (let i = 0; i < 60; i += 1) {
      refs.push(
        model.submit(chance.pick(['alice', 'bob']), {
          tasks: chance.whole(1, 6),
          timeMs: chance.whole(1, 60) * min,
          partition: chance.pick(['batch', 'cloud', 'batch,cloud', 'burst']),
          work: { ms: chance.whole(1, 40) * min, exit: chance.whole(0, 1) },
          ...(chance.hit(0.2) ? { array: '1-4%2' } : {}),
        }),
      );
      const ref = chance.pick(refs);
      if (chance.hit(0.1)) ignoring(() => model.cancel('root', ref));
      if (chance.hit(0.1)) ignoring(() => model.requeue('root', ref));
      if (chance.hit(0.2)) ignoring(() => model.alter('root', ref, { partition: 'burst' }));
      if (chance.hit(0.1)) model.nodeDown('c1');
      else model.nodeUp('c1');
      await pass(chance.whole(1, 300) * s);
      look(model);
    }
    await pass(24 * hour);
    return model.truth();
  }

  test('the same seed is the same day, and another seed another', async () => {
    const one = JSON.stringify(await day(5));
    expect(JSON.stringify(await day(5))).toBe(one);
    expect(JSON.stringify(await day(6))).not.toBe(one);
  });

  test('no node ever has more on it than it has, and no run of a job overlaps another', async () => {
    const jobs = await day(11, ({ state }) => {
      for (const { spec, jobs, ...free } of state.nodes.values()) {
        const shares = [...jobs].flatMap((job) => job.shares.filter(({ node }) => node === spec.name));
        const taken = (of: 'cpus' | 'memoryMib') => shares.reduce((sum, share) => sum + share[of], 0);
        for (const of of ['cpus', 'memoryMib'] as const) {
          expect(free[of]).toBeGreaterThanOrEqual(0);
          expect(free[of] + taken(of)).toBe(spec[of]);
        }
      }
    });
    for (const job of jobs) {
      let last = 0;
      for (const run of job.runs) {
        expect(run.startAt ?? run.submitAt).toBeGreaterThanOrEqual(last);
        last = run.endAt ?? last;
      }
      expect(job.runs.map(({ restarts }) => restarts)).toEqual(job.runs.map((_, nth) => nth));
    }
  });

  test('nothing is done while nothing can change', async () => {
    const { model, pass, timers, time } = world();
    model.submit('alice', { partition: 'cloud' });
    model.submit('alice', { held: true });
    model.submit('alice', { ...whole, work: 'forever', timeMs: 'unlimited', partition: 'wait' });
    await pass(min);
    const before = timers();
    await pass(30 * 24 * hour);
    expect(timers()).toBe(before);
    expect(time.now()).toBe(instant(start + 30 * 24 * hour + min));
  });

  test('age is worth what the site says, and no more', async () => {
    const { model, port, pass } = world();
    const ref = model.submit('alice', { partition: 'cloud' });
    const priority = async () => (await port.job(ref))?.priority ?? 0;
    const first = await priority();
    await pass(12 * hour);
    expect((await priority()) - first).toBe(50_000);
    await pass(5 * 24 * hour);
    expect((await priority()) - first).toBe(100_000);
  });
});
