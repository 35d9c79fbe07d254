import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Backfill, needsOf, Starter, startsOf } from '../../src/decide/backfill.ts';
import { Ends } from '../../src/decide/backfill-ends.ts';

interface Job {
  readonly processors: number;
  readonly limit: number;
  readonly run?: number;
}

const columns = (jobs: readonly Job[]) => ({
  processors: Int32Array.from(jobs, (j) => j.processors),
  limitMs: Float64Array.from(jobs, (j) => j.limit),
  runMs: Float64Array.from(jobs, (j) => j.run ?? j.limit),
});
const starts = (processors: number, running: readonly Job[], queue: readonly Job[]) => [
  ...startsOf(processors, { ...columns([...running, ...queue]), running: running.length }).slice(
    running.length,
  ),
];

it('who has no run time would never end: it is refused in place of waited for', () => {
  const jobs = {
    processors: Int32Array.of(64, 64),
    limitMs: Float64Array.of(1_000, 1_000),
    runMs: Float64Array.of(Number.NaN, 5),
    running: 1,
  };
  expect(() => startsOf(64, jobs)).toThrow('job 0 has no run time');
});

describe('backfill', () => {
  it('whoever fits goes before the first in the queue only if that costs it no second', () => {
    const running = [{ processors: 6, limit: 100 }];
    const first = { processors: 8, limit: 50 };
    expect(starts(10, running, [first, { processors: 4, limit: 100 }])).toEqual([100, 0]);
    expect(starts(10, running, [first, { processors: 4, limit: 101 }])).toEqual([100, 150]);
    // Two of ten are to spare when the first begins.
    expect(starts(10, running, [first, { processors: 2, limit: 1_000 }])).toEqual([100, 0]);
    expect(
      starts(10, running, [first, { processors: 2, limit: 1_000 }, { processors: 2, limit: 1_000 }]),
    ).toEqual([100, 0, 150]);
  });

  it('goes by limits, and moves on when a job ends early', () => {
    expect(starts(10, [{ processors: 6, limit: 100, run: 30 }], [{ processors: 8, limit: 50 }])).toEqual([
      30,
    ]);
  });

  it('all who end at the same moment leave what they held', () => {
    const running = [
      { processors: 4, limit: 100 },
      { processors: 4, limit: 100 },
    ];
    expect(
      starts(10, running, [
        { processors: 5, limit: 9 },
        { processors: 2, limit: 999 },
      ]),
    ).toEqual([100, 0]);
  });

  it('a job larger than the machine never starts, and holds nobody back', () => {
    expect(
      starts(
        10,
        [],
        [
          { processors: 11, limit: 1 },
          { processors: 10, limit: 1 },
        ],
      ),
    ).toEqual([Number.POSITIVE_INFINITY, 0]);
  });

  it('the rank says who is first, the other order who is tried first', () => {
    const jobs = columns([
      { processors: 10, limit: 100 },
      { processors: 10, limit: 10 },
      { processors: 3, limit: 90 },
      { processors: 3, limit: 20 },
    ]);
    const order = { rank: Float64Array.from([0, 1, 2, 3]), tried: jobs.limitMs };
    const machine = new Backfill(14, jobs, order);
    for (let i = 0; i < 4; i++) machine.submit(i);
    const begun: number[] = [];
    machine.pass(0, (job) => begun.push(job));
    expect(begun).toEqual([0, 3]);
    expect(machine.reservation()).toBe(100);
  });

  it('a job that leaves the queue is forgotten, and one behind it moves up', () => {
    const jobs = columns([
      { processors: 6, limit: 100 },
      { processors: 8, limit: 50 },
      { processors: 4, limit: 101 },
    ]);
    const machine = new Backfill(10, jobs);
    const begun: number[] = [];
    for (let i = 0; i < 3; i++) machine.submit(i);
    machine.pass(0, (job) => begun.push(job));
    expect([begun, machine.length, machine.free]).toEqual([[0], 2, 4]);
    expect([machine.withdraw(1), machine.withdraw(1), machine.withdraw(0)]).toEqual([true, false, false]);
    machine.pass(1, (job) => begun.push(job));
    expect([begun, machine.length, machine.free]).toEqual([[0, 2], 0, 0]);
  });

  describe('with memory besides processors', () => {
    const begunBy = (most: number, jobs: readonly (Job & { readonly memory: number })[], rank?: number[]) => {
      const order = rank === undefined ? {} : { rank: Float64Array.from(rank) };
      const machine = new Backfill(10, columns(jobs), order, memoryOf(jobs, most));
      const begun: number[] = [];
      jobs.forEach((_, i) => void machine.submit(i));
      machine.pass(0, (job) => begun.push(job));
      return { begun, reservation: machine.reservation() };
    };

    it('a job waits for it although processors are free', () => {
      const jobs = [
        { processors: 1, limit: 50, memory: 60 },
        { processors: 1, limit: 10, memory: 50 },
      ];
      expect(begunBy(100, jobs)).toEqual({ begun: [0], reservation: 50 });
      expect(begunBy(110, jobs).begun).toEqual([0, 1]);
    });

    it('who needs none of it goes before the first, and so does what leaves it enough or is over in time', () => {
      const first = [
        { processors: 1, limit: 50, memory: 60 },
        { processors: 1, limit: 10, memory: 50 },
      ];
      const behind = (limit: number, memory: number) =>
        begunBy(100, [...first, { processors: 2, limit, memory }]).begun.includes(2);
      expect(behind(1_000, 0)).toBe(true);
      expect(behind(50, 40)).toBe(true);
      // At 50 there are 50 for the first, and 50 to spare: 40 free now.
      expect(behind(51, 40)).toBe(true);
      expect(behind(51, 41)).toBe(false);
      const tight = [
        { processors: 1, limit: 50, memory: 60 },
        { processors: 1, limit: 10, memory: 80 },
      ];
      const late = (limit: number) =>
        begunBy(100, [...tight, { processors: 2, limit, memory: 30 }]).begun.includes(2);
      expect([late(50), late(51)]).toEqual([true, false]);
    });

    it('each kind binds by itself, and who needs none of it is not held up by it', () => {
      const needs = [
        [60, 0, 1],
        [0, 2, 0],
        [50, 0, 0],
        [0, 0, 1],
        [40, 1, 0],
      ];
      const jobs = columns(needs.map(() => ({ processors: 1, limit: 50 })));
      const machine = new Backfill(
        10,
        jobs,
        {},
        {
          most: [100, 2, 1],
          needs: needsOf(needs.length, (i) => needs[i] as number[]),
        },
      );
      const begun: number[] = [];
      needs.forEach((_, i) => void machine.submit(i));
      machine.pass(0, (job) => begun.push(job));
      expect(begun).toEqual([0, 1]);
      machine.end(1);
      machine.pass(1, (job) => begun.push(job));
      // The third has its turn when the first is over, and leaves the last one enough by then.
      expect(machine.reservation()).toBe(50);
      expect(begun).toEqual([0, 1, 4]);
      machine.end(0);
      machine.pass(2, (job) => begun.push(job));
      expect(begun).toEqual([0, 1, 4, 2, 3]);
      // As it was made, whatever came before.
      machine.clear();
      expect([machine.free, machine.length, machine.running]).toEqual([10, 0, 0]);
      needs.forEach((_, i) => void machine.submit(i));
      begun.length = 0;
      machine.pass(0, (job) => begun.push(job));
      expect(begun).toEqual([0, 1]);
    });

    it('the highest rank has the reservation', () => {
      const one = { processors: 6, limit: 10, memory: 0 };
      expect(begunBy(100, [one, one], [0, -5]).begun).toEqual([1]);
    });
  });

  it('a random history never uses more than there is, nor starts the first later than was promised, and is what a naive pass gives', () => {
    const job = fc.record({
      processors: fc.integer({ min: 1, max: 12 }),
      limit: fc.integer({ min: 1, max: 40 }),
      run: fc.integer({ min: 1, max: 40 }),
      at: fc.integer({ min: 0, max: 120 }),
      memory: fc.integer({ min: 0, max: machineMemory }),
      leaves: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(job, { maxLength: 40 }), (drawn) => {
        const jobs = drawn.map((j) => ({ ...j, run: Math.min(j.run, j.limit) })).sort((a, b) => a.at - b.at);
        expect(history(jobs)).toEqual(naive(jobs));
      }),
      { numRuns: 100 },
    );
  });
});

it('a queue that is played again with other run times starts as one that is played for the first time', () => {
  const drawn = fc.record({
    processors: fc.integer({ min: 1, max: 16 }),
    limit: fc.integer({ min: 1, max: 50 }),
    runs: fc.array(fc.integer({ min: 0, max: 60 }), { minLength: 3, maxLength: 3 }),
  });
  fc.assert(
    fc.property(fc.array(drawn, { maxLength: 40 }), fc.nat(), (jobs, some) => {
      const all = { ...columns(jobs), running: some % (jobs.length + 1) };
      // What runs already fits.
      for (let i = 0; i < all.running; i++) all.processors[i] = 0;
      const starter = new Starter(12, all);
      for (const draw of [0, 1, 2]) {
        all.runMs.set(jobs.map((j) => j.runs[draw] as number));
        const again = starter.starts(new Float64Array(jobs.length));
        expect(again).toEqual(startsOf(12, { ...all, runMs: all.runMs.slice() }));
      }
    }),
  );
});

type Timed = Job & {
  readonly run: number;
  readonly at: number;
  readonly leaves: boolean;
  readonly memory: number;
};
const machineSize = 12;
const machineMemory = 20;
const memoryOf = (jobs: readonly { readonly memory: number }[], most = machineMemory) => ({
  ...{ most: [most], needs: needsOf(jobs.length, (i) => [jobs[i]?.memory ?? 0]) },
});
/** Those who leave do so this long after they came, if they wait still. */
const patience = 15;

function history(jobs: readonly Timed[]): number[] {
  const machine = new Backfill(machineSize, columns(jobs), {}, memoryOf(jobs));
  const ends = new Ends(1);
  const begun = jobs.map(() => -1);
  let promised: { job: number; at: number } | undefined;
  for (let now = 0; now <= 2_000; now++) {
    let left = false;
    while (ends.nextAt <= now) machine.end(ends.pop());
    jobs.forEach((j, i) => {
      if (j.at === now) machine.submit(i);
      if (j.leaves && j.at + patience === now) left = machine.withdraw(i) || left;
    });
    machine.pass(now, (i) => {
      begun[i] = now;
      ends.push(i, now + (jobs[i]?.run ?? 0));
    });
    expect(machine.free).toBeGreaterThanOrEqual(0);
    const used = jobs.reduce((sum, j, i) => {
      const from = begun[i] ?? -1;
      return from >= 0 && from <= now && now < from + j.run ? sum + j.memory : sum;
    }, 0);
    expect(used).toBeLessThanOrEqual(machineMemory);
    const first = machine.at(0);
    const at = machine.reservation();
    if (promised !== undefined && promised.job === first && at !== undefined)
      expect(at).toBeLessThanOrEqual(promised.at);
    promised = first < 0 || at === undefined ? undefined : { job: first, at };
  }
  return begun;
}

function naive(jobs: readonly Timed[]): number[] {
  const begun = jobs.map(() => -1);
  for (let now = 0; now <= 2_000; now++) {
    const has = (i: number) => (begun[i] ?? -1) >= 0;
    const runs = () => jobs.flatMap((j, i) => (has(i) && (begun[i] ?? 0) + j.run > now ? [i] : []));
    type Room = readonly [processors: number, memory: number];
    const needsOf = (i: number): Room => [jobs[i]?.processors ?? 0, jobs[i]?.memory ?? 0];
    const plus = (a: Room, b: Room, times: number): Room => [a[0] + times * b[0], a[1] + times * b[1]];
    const holds = (room: Room, needs: Room): boolean => room[0] >= needs[0] && room[1] >= needs[1];
    const free = () =>
      runs().reduce((sum, i) => plus(sum, needsOf(i), -1), [machineSize, machineMemory] as Room);
    const queue = () =>
      jobs.flatMap((j, i) => (j.at <= now && !has(i) && !(j.leaves && j.at + patience <= now) ? [i] : []));
    for (let next = queue()[0]; next !== undefined; next = queue()[0]) {
      if (!holds(free(), needsOf(next))) break;
      begun[next] = now;
    }
    const [first, ...others] = queue();
    if (first === undefined) continue;
    const overAt = (i: number) => (begun[i] ?? 0) + (jobs[i]?.limit ?? 0);
    const needs = needsOf(first);
    const freeAt = (at: number) =>
      runs().reduce((sum, i) => (overAt(i) <= at ? plus(sum, needsOf(i), 1) : sum), free());
    const reserved = runs()
      .map(overAt)
      .sort((a, b) => a - b)
      .find((at) => holds(freeAt(at), needs));
    for (const i of others) {
      const mine = needsOf(i);
      if (!holds(free(), mine) || reserved === undefined) continue;
      const inTime = now + (jobs[i]?.limit ?? 0) <= reserved;
      if (inTime || holds(plus(freeAt(reserved), needs, -1), mine)) begun[i] = now;
    }
  }
  return begun;
}
