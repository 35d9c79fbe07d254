/** The last days under another policy: what is played, what is left out, and what comes of it. */
import { describe, expect, it } from 'vitest';
import { compile } from '../../config/expression.ts';
import type { PastJob } from '../../src/domain/past.ts';
import type { PlainPolicy, ReplayOrder } from '../../src/engine/replayed.ts';
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
  ...over,
});

const policy = (over: Partial<PlainPolicy> = {}): PlainPolicy => ({
  ...{ burstWhen: [], never: [], maxBursts: 100, maxTimeMs: undefined },
  ...{ backOffMs: 0, returns: 3, budgets: [] },
  ...over,
});
const waited = (forMs: number) => policy({ burstWhen: [{ kind: 'waited', forMs }] });

const order = (jobs: readonly PastJob[], over: Partial<ReplayOrder> = {}): ReplayOrder => ({
  ...{ fromMs: t0, untilMs: at(2 * day), jobs, processors: 4, lookMs: minute },
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

it('what a log does not tell is named, of every expression', () => {
  const expr = (text: string) => ({ kind: 'cel' as const, expr: text });
  expect(unseenIn(policy({ burstWhen: [expr('job.cpus <= 4')] }), compile)).toEqual([]);
  const odd = policy({
    burstWhen: [expr('job.qos == "low"')],
    never: [expr('job.gres != "" || job.cpus > 4')],
  });
  expect(unseenIn(odd, compile)).toEqual(['job.qos', 'job.gres']);
});
