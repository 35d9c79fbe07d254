/** The last days under another policy: what is played, what is left out, and what comes of it. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compile } from '../../config/expression.ts';
import type { PastJob, PastNodes } from '../../src/domain/past.ts';
import type { PlainPolicy, ReplayOrder } from '../../src/engine/replayed.ts';
import { siteOf } from '../../src/sim/replay/node-sets.ts';
import { play as runs, usualCloud } from '../../src/sim/replay/play.ts';
import { clean } from '../../src/sim/trace/job.ts';
import { readTrace } from '../../src/sim/trace/read.ts';
import { traceOf, unseenIn, whatIf } from '../../src/sim/what-if.ts';

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;
const t0 = Date.UTC(2026, 9, 5);

const at = (ms: number): number => t0 + ms;
/** Times in milliseconds from the beginning of the days. */
const job = (
  id: string,
  submit: number,
  start: number,
  end: number,
  over: Partial<PastJob> = {},
): PastJob => ({
  ...{ id, user: id, account: 'physics', partition: 'batch', cpus: 4 },
  ...{ submitMs: at(submit), startMs: at(start), endMs: at(end), limitMs: 20 * hour },
  ...{ priority: undefined, memoryMib: undefined, gres: new Map(), inCloud: false },
  ...over,
});

const policy = (over: Partial<PlainPolicy> = {}): PlainPolicy => ({
  ...{ burstWhen: [], never: [], maxBursts: 100, maxTimeMs: undefined },
  ...{ backOffMs: 0, returns: 3, budgets: [] },
  ...over,
});
const waited = (forMs: number) => policy({ burstWhen: [{ kind: 'waited', forMs }] });

const none = { cpus: 0, memoryMib: 0, gres: new Map<string, number>() };
const nodesOf = (cpus: number, over: Partial<PastNodes> = {}): PastNodes => ({
  ...{ ...none, cpus, partitions: [{ ...none, name: 'batch', cpus, holds: ['batch'] }] },
  ...over,
});

const order = (jobs: readonly PastJob[], over: Partial<ReplayOrder> = {}): ReplayOrder => ({
  ...{ fromMs: t0, untilMs: at(2 * day), jobs, nodes: [nodesOf(4)], lookMs: minute },
  forecaster: { draws: 2, exact: 20 },
  cloud: { bootMs: 3 * minute, cpus: 100, microUsdPerCpuHour: 50_000, instanceCpus: 4 },
  ...{ running: policy(), proposed: waited(hour) },
  ...over,
});
const play = (jobs: readonly PastJob[], over: Partial<ReplayOrder> = {}) =>
  whatIf(order(jobs, over), compile, () => undefined);

describe('the last days under another policy', () => {
  it('cost what its bursts cost, and spare the waiting that they spare', () => {
    // The second waits for ten hours behind the first; after one it goes.
    const made = play([job('a', 0, 0, 10 * hour), job('b', 0, 10 * hour, 11 * hour)]);
    expect(made.jobs).toBe(2);
    expect(made.nobody).toMatchObject({ bursts: 0, microUsd: 0, waitMs: { mean: 5 * hour } });
    expect(made.running).toEqual(made.nobody);
    expect(made.proposed).toMatchObject({ bursts: 1, peakCpus: 4, peakInstances: 1 });
    // Decided at the first look after an hour, and there when it has booted.
    expect(made.proposed.waitMs.mean).toBeGreaterThan((hour + 3 * minute) / 2 - 1);
    expect(made.proposed.waitMs.mean).toBeLessThan((hour + 5 * minute) / 2);
    expect(made.proposed.microUsd).toBe(Math.round(4 * (1 + 3 / 60) * 50_000));
    expect(made.proposed.cloudShare).toBeCloseTo(1 / 11);
    expect(made.really.mean).toBe(5 * hour);
  });

  it('are told over time: the spending ends where the bill does, and who waits is counted', () => {
    const made = play([job('a', 0, 0, 10 * hour), job('b', 0, 10 * hour, 11 * hour)]);
    const { nobody, proposed, spanMs } = made.course;
    expect(Math.abs((proposed.spentMicroUsd.at(-1) ?? 0) - made.proposed.microUsd)).toBeLessThan(10);
    expect(nobody.spentMicroUsd.every((usd) => usd === 0)).toBe(true);
    const hours = nobody.waiting.reduce((sum, waiting) => sum + (waiting * spanMs) / hour, 0);
    expect(hours).toBeCloseTo(10);
    expect(made.course.fromMs).toBe(t0);
  });

  it('begin with who ran then, who holds his processors and is counted in no figure', () => {
    const jobs = [job('before', -5 * hour, -4 * hour, 6 * hour), job('waits', -2 * hour, 6 * hour, 7 * hour)];
    const { trace, counted } = traceOf(order(jobs));
    expect(trace.jobs.map((j) => [j.id, j.submitMs - t0, j.runMs])).toEqual([
      ['before', 0, 6 * hour],
      ['waits', 0, hour],
    ]);
    expect(counted).toEqual([1]);
    // Of his limit is left what he had not used.
    expect(trace.limitMs[0]).toBe(16 * hour);
    const made = play(jobs);
    expect(made).toMatchObject({ jobs: 1, ranBefore: 1, nobody: { waitMs: { mean: 6 * hour } } });
    expect(made.really.mean).toBe(6 * hour);
    expect(made.proposed.bursts).toBe(1);
  });

  it('begin with who had run past his limit by then, for as long as he really did', () => {
    const jobs = [
      job('over', -5 * hour, -4 * hour, 2 * hour, { limitMs: hour }),
      job('waits', 0, 2 * hour, 3 * hour),
    ];
    expect(traceOf(order(jobs)).trace.jobs.map((j) => j.runMs)).toEqual([2 * hour, hour]);
    expect(play(jobs)).toMatchObject({ jobs: 1, capped: 0, nobody: { waitMs: { mean: 2 * hour } } });
  });

  it('hold a hard budget and a cap, as the gateway does', () => {
    const jobs = [
      job('a', 0, 0, 20 * hour),
      ...['b', 'c', 'd'].map((id) => job(id, 0, 20 * hour, 21 * hour)),
    ];
    const peak = (over: Partial<PlainPolicy>) =>
      play(jobs, { lookMs: 10 * minute, proposed: { ...waited(hour), ...over } }).proposed.peakCpus;
    expect(peak({})).toBe(12);
    expect(peak({ never: [{ kind: 'account', account: 'physics' }] })).toBe(0);
    const budget = { account: 'physics', per: 'total' as const, hard: true, source: 'budgets' };
    // Each holds 20 h 10 min of four CPUs at most: 4.03 USD.
    expect(peak({ budgets: [{ ...budget, microUsd: 1_000_000 }] })).toBe(0);
    expect(peak({ budgets: [{ ...budget, microUsd: 9_000_000 }] })).toBe(8);
    expect(peak({ maxBursts: 1 })).toBe(4);
  });

  it('leave out what cannot be played, and say how much', () => {
    const made = play([
      job('a', 0, 0, hour),
      job('none', 0, hour, hour),
      job('huge', 0, 0, hour, { cpus: 400 }),
      job('over', hour, hour, 4 * hour, { limitMs: hour }),
    ]);
    expect(made).toMatchObject({ jobs: 2, zeroRun: 1, oversized: 1, capped: 1 });
  });

  it('tell by how much the play that is nearest to what was is off', () => {
    // Without a cloud nobody went; in the model the third has to wait for the second.
    const jobs = [
      job('a', 0, 0, 10 * hour),
      job('b', 0, 10 * hour, 11 * hour),
      job('c', hour, 10 * hour, 12 * hour),
    ];
    const made = play(jobs);
    expect(made.error).toEqual({ of: 'nobody', mean: hour / 3, p50: 0, p95: expect.any(Number) });
    expect(made.order).toBe('submission');
    const gone = play([...jobs, job('d', hour, 2 * hour, 3 * hour, { inCloud: true })], {
      running: waited(hour),
    });
    expect(gone.error.of).toBe('running');
    // The second is there some minutes after his hour, and really waited for ten.
    expect(gone.error.p95).toBeGreaterThan(8 * hour);
  });

  it('without a job come to nothing', () => {
    const made = play([]);
    expect(made).toMatchObject({ jobs: 0, proposed: { bursts: 0, microUsd: 0, waitMs: { mean: 0 } } });
    expect(JSON.stringify(made)).not.toContain('null');
    // Nor with none but who ran already: the days are as long as they are.
    for (const jobs of [[], [job('before', -2 * hour, -hour, hour)]])
      expect(play(jobs).course).toMatchObject({ fromMs: t0, spanMs: (2 * day) / 240 });
  });

  it('tell how far they have come, never backwards', () => {
    const shares: number[] = [];
    whatIf(order([job('a', 0, 0, 10 * hour), job('b', 0, 10 * hour, 11 * hour)]), compile, (share) =>
      shares.push(share),
    );
    expect(shares.length).toBeGreaterThan(100);
    expect([...shares].sort((a, b) => a - b)).toEqual(shares);
    expect(shares.at(-1)).toBeLessThanOrEqual(1);
  });
});

it('a log that the model has made itself is played to the second, and comes to what it came to before', async () => {
  const { jobs } = clean((await readTrace('config/examples/small.swf')).jobs, 64);
  const sum = (share: number) => ({
    ...{ cpus: 64 * share, memoryMib: 200_000 * share, gres: new Map([['gpu', 8 * share]]) },
  });
  const set: PastNodes = {
    ...sum(1),
    partitions: [
      { ...sum(1), name: 'batch', holds: ['batch', 'debug'] },
      { ...sum(0.5), name: 'debug', holds: ['debug'] },
    ],
  };
  const drawn = jobs.map(({ processors: cpus, submitMs, runMs, requestMs, ...rest }, i): PastJob => {
    const debug = cpus <= 16 && i % 3 === 0;
    const gres = new Map(i % 10 === 0 ? [['gpu', Math.min(4, cpus)]] : []);
    return {
      ...{ id: rest.id, user: rest.user, account: rest.account, partition: debug ? 'debug' : 'batch' },
      ...{ submitMs, startMs: submitMs, endMs: submitMs + runMs, limitMs: requestMs, cpus, gres },
      ...{ priority: 100 + ((7 * i) % 13), memoryMib: cpus * (1_000 + 500 * (i % 5)), inCloud: false },
    };
  });
  const fromMs = drawn[0]?.submitMs ?? 0;
  const untilMs = drawn.at(-1)?.submitMs ?? 0;
  const over = { fromMs, untilMs, nodes: [set], lookMs: hour / 2, running: waited(2 * hour) };
  const { trace } = traceOf(order(drawn, over));
  // As if never two had run at once: all of it binds.
  const nodes = siteOf(
    [set],
    drawn.map((one) => ({ ...one, endMs: one.startMs })),
  ).setsFor(drawn);
  const { waitMs } = runs(trace, { processors: 64, nodes, cloud: usualCloud, tickMs: minute });
  const really = drawn.map((one, i) => {
    const startMs = one.submitMs + (waitMs[i] as number);
    return { ...one, startMs, endMs: startMs + (trace.runMs[i] as number) };
  });
  const made = play(really, { ...over, proposed: policy({ burstWhen: [{ kind: 'worth', atLeast: 20 }] }) });
  expect(made.error).toEqual({ of: 'nobody', mean: 0, p50: 0, p95: 0 });
  const { nobody, running, proposed } = made;
  expect([nobody, running, proposed].map((f) => [f.bursts, f.microUsd, Math.round(f.waitMs.mean)])).toEqual([
    [0, 0, 59_008_687],
    [108, 808_775_543, 1_023_395],
    [188, 198_429_455, 18_307_855],
  ]);
});

it('what a log does not tell is named, of every expression', () => {
  const expr = (text: string) => ({ kind: 'cel' as const, expr: text });
  expect(unseenIn(policy({ burstWhen: [expr('job.cpus <= 4')] }), compile)).toEqual([]);
  const odd = policy({
    burstWhen: [expr('job.qos == "low"')],
    never: [expr('job.gres != "" || job.cpus > 4')],
  });
  expect(unseenIn(odd, compile)).toEqual(['job.qos', 'job.gres']);
});

describe('the nodes of a site', () => {
  const waits = (jobs: readonly PastJob[], nodes: readonly PastNodes[]) => {
    const made = play(jobs, { nodes, proposed: policy() });
    return { mean: made.nobody.waitMs.mean, told: made.nodes, oversized: made.oversized, order: made.order };
  };
  const has = (cpus: number, memoryMib: number, gres: Record<string, number> = {}) => ({
    ...{ cpus, memoryMib, gres: new Map(Object.entries(gres)) },
  });
  const small = { cpus: 1, memoryMib: 60 };

  it('bind by memory: a job waits for it although CPUs are free', () => {
    const set = { ...has(8, 100), partitions: [{ ...has(8, 100), name: 'batch', holds: ['batch'] }] };
    const made = waits([job('a', 0, 0, hour, small), job('b', 0, hour, 2 * hour, small)], [set]);
    expect(made).toMatchObject({ mean: hour / 2, told: [{ binds: ['memory'], exceeded: [] }] });
  });

  it('do not bind by what the site had more of in use than they have, which is told', () => {
    const set = { ...has(8, 100), partitions: [{ ...has(8, 100), name: 'batch', holds: ['batch'] }] };
    const made = waits([job('a', 0, 0, hour, small), job('b', 0, 0, hour, small)], [set]);
    expect(made).toMatchObject({ mean: 0, told: [{ binds: [], exceeded: ['memory'] }] });
  });

  it('are a queue for themselves: who waits in one partition holds up nobody in another', () => {
    const gpu = (gpus: number) => ({ cpus: 4, partition: 'gpu', gres: new Map([['gpu', gpus]]) });
    const jobs = [
      job('a', 0, 0, 10 * hour, gpu(1)),
      job('b', 0, 10 * hour, 11 * hour, gpu(1)),
      job('c', minute, minute, hour),
    ];
    const apart = [
      nodesOf(4),
      { ...has(64, 0, { gpu: 1 }), partitions: [{ ...has(64, 0, { gpu: 1 }), name: 'gpu', holds: ['gpu'] }] },
    ];
    expect(waits(jobs, apart).mean).toBe((10 * hour) / 3);
    // As on nodes that both share: the one waits for GPUs, and needs no more CPUs than there are.
    const all = has(8, 0, { gpu: 1 });
    const names = ['batch', 'gpu'];
    const shared = [{ ...all, partitions: names.map((name) => ({ ...all, name, holds: names })) }];
    expect(waits(jobs, shared).mean).toBe((10 * hour) / 3);
  });

  it('of a partition that has some of them alone are all that its jobs get', () => {
    const debug = { partition: 'debug', cpus: 4 };
    const part = (cpus: number, ...holds: string[]) => ({ ...none, name: holds[0] ?? '', cpus, holds });
    const set = nodesOf(12, { partitions: [part(12, 'batch', 'debug'), part(4, 'debug')] });
    const made = waits([job('a', 0, 0, hour, debug), job('b', 0, hour, 2 * hour, debug)], [set]);
    expect(made).toMatchObject({ mean: hour / 2, told: [{ binds: ['debug: cpus'] }] });
  });

  it('of partitions that lie within one another are shared by all that can run on no others', () => {
    const part = (cpus: number, ...holds: string[]) => ({ ...none, name: holds[0] ?? '', cpus, holds });
    const set = nodesOf(64, {
      partitions: [
        part(64, 'all', 'debug', 'short', 'test'),
        part(4, 'debug', 'test'),
        part(8, 'short', 'debug', 'test'),
        part(4, 'test', 'debug'),
      ],
    });
    const of = (partition: string, cpus: number) => ({ partition, cpus });
    // Debug and test have the same four CPUs, and short these and four more.
    const jobs = [
      job('a', 0, 0, hour, of('debug', 4)),
      job('b', 0, hour, 2 * hour, of('test', 4)),
      job('c', 0, 2 * hour, 3 * hour, of('short', 8)),
      job('d', 0, 0, hour, of('all', 40)),
      // Who may start elsewhere is not held up.
      job('e', 0, 0, hour, of('short,all', 8)),
    ];
    const made = waits(jobs, [set]);
    expect(made).toMatchObject({
      mean: (3 * hour) / 5,
      told: [{ binds: ['debug+test: cpus', 'short: cpus'] }],
    });
    const part1 = waits([jobs[0] as PastJob, job('b', 0, hour, 2 * hour, of('short', 8))], [set]);
    expect(part1.mean).toBe(hour / 2);
  });

  it('say what no job has on record, and how much more was in use at once than they have', () => {
    const all = has(8, 100, { gpu: 2, 'gpu:a100': 2 });
    const set = { ...all, partitions: [{ ...all, name: 'batch', holds: ['batch'] }] };
    const one = { cpus: 6, memoryMib: undefined, gres: new Map([['gpu', 1]]) };
    const [told] = waits([job('a', 0, 0, hour, one), job('b', 0, 0, hour, one)], [set]).told;
    expect(told).toEqual({
      ...{ partitions: ['batch'], cpus: 8, cpusInUse: 12 },
      ...{ binds: ['gpu'], exceeded: [], unused: ['memory', 'gpu:a100'] },
    });
  });

  it('leave out whom they cannot hold, and whose partition has none', () => {
    const set = { ...has(8, 100), partitions: [{ ...has(8, 100), name: 'batch', holds: ['batch'] }] };
    const jobs = [
      job('a', 0, 0, hour),
      job('b', 0, 0, hour, { memoryMib: 200, inCloud: true }),
      job('c', 0, 0, hour, { partition: 'gone' }),
    ];
    expect(waits(jobs, [set])).toMatchObject({ oversized: 2, mean: 0 });
  });

  it('serve by priority where it is known; whose is not has the middle one', () => {
    const jobs = [
      job('runs', -hour, -hour, hour, { priority: 1 }),
      job('low', 0, 3 * hour, 4 * hour, { priority: 10 }),
      job('mid', minute, 2 * hour, 3 * hour),
      job('high', 2 * minute, hour, 2 * hour, { priority: 30 }),
      job('also', 3 * minute, 4 * hour, 5 * hour, { priority: 5 }),
      job('middle', 4 * minute, 2 * hour, 3 * hour, { priority: 20 }),
    ];
    const order = ['high', 'mid', 'middle', 'low', 'also'];
    const really = jobs.map((j) => {
      const startMs = at((order.indexOf(j.id) + 1) * hour);
      return j.id === 'runs' ? j : { ...j, startMs, endMs: startMs + hour };
    });
    const made = play(really, { proposed: policy() });
    expect(made).toMatchObject({ order: 'priority', error: { of: 'nobody', mean: 0, p95: 0 } });
  });

  it('are never used beyond what they have, whoever comes when', () => {
    const drawn = fc.record({
      ...{ at: fc.integer({ min: 0, max: 40 }), run: fc.integer({ min: 1, max: 20 }) },
      ...{ cpus: fc.integer({ min: 1, max: 8 }), memoryMib: fc.integer({ min: 0, max: 30 }) },
      ...{
        gpus: fc.integer({ min: 0, max: 2 }),
        debug: fc.boolean(),
        priority: fc.integer({ min: 1, max: 5 }),
      },
    });
    const all = has(8, 30, { gpu: 2 });
    const part = { ...has(4, 15), name: 'debug', holds: ['debug'] };
    const set = { ...all, partitions: [{ ...all, name: 'batch', holds: ['batch', 'debug'] }, part] };
    fc.assert(
      fc.property(fc.array(drawn, { minLength: 1, maxLength: 30 }), (many) => {
        // One after the other, so that the record never had too much in use.
        const jobs = many.map(({ at: come, run, cpus, memoryMib, gpus, debug, priority }, i) => {
          const startMs = i * 100 * minute;
          const most = debug ? part : all;
          return job(`${i}`, Math.min(come * minute, startMs), startMs, startMs + run * minute, {
            ...{ cpus: Math.min(most.cpus, cpus), memoryMib: Math.min(most.memoryMib, memoryMib) },
            ...{ priority, gres: new Map([['gpu', gpus]]), partition: debug ? 'debug' : 'batch' },
          });
        });
        const { trace, sets } = traceOf(order(jobs, { nodes: [set] }));
        const { waitMs } = runs(trace, { processors: 8, nodes: sets, cloud: usualCloud, tickMs: minute });
        const from = (i: number) => (trace.submitMs[i] as number) + (waitMs[i] as number);
        for (let i = 0; i < trace.jobs.length; i++) {
          const now = from(i);
          const at = (needs: (job: number) => number) =>
            trace.jobs.reduce(
              (sum, _, j) =>
                from(j) <= now && now < from(j) + (trace.runMs[j] as number) ? sum + needs(j) : sum,
              0,
            );
          expect(at((j) => trace.processors[j] as number)).toBeLessThanOrEqual(8);
          const job = (j: number) => jobs.find(({ id }) => id === trace.jobs[j]?.id) as PastJob;
          const inDebug = (j: number, needs: number) => (job(j).partition === 'debug' ? needs : 0);
          expect(at((j) => job(j).memoryMib ?? 0)).toBeLessThanOrEqual(30);
          expect(at((j) => job(j).gres.get('gpu') ?? 0)).toBeLessThanOrEqual(2);
          expect(at((j) => inDebug(j, job(j).cpus))).toBeLessThanOrEqual(4);
          expect(at((j) => inDebug(j, job(j).memoryMib ?? 0))).toBeLessThanOrEqual(15);
        }
      }),
      { numRuns: 60 },
    );
  });
});
