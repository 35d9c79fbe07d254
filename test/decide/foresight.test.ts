import { describe, expect, it } from 'vitest';
import { drawsFor, Foresight } from '../../src/decide/foresight.ts';
import { clusterName, type Instant, instant, jobRef } from '../../src/domain/ids.ts';
import type { EndedRun, Job, SlurmNode, Snapshot } from '../../src/domain/job.ts';
import { detail } from '../burst/fixtures.ts';

const hour = 3_600_000;
const start = instant(1_790_000_000_000);

const job = (id: number, over: Partial<Job> = {}): Job =>
  detail({
    ref: jobRef(`${id}`),
    ...{ id, user: 'ann', submitAt: start, priority: 1_000 - id, timeLimitMs: 10 * hour, cpus: 8 },
    ...{ reason: 'Resources' },
    eligibleAt: undefined,
    ...over,
  });
const runs = (id: number, startAt: Instant, over: Partial<Job> = {}): Job =>
  job(id, { state: 'RUNNING', startAt, nodeList: 'n1', reason: '', ...over });
const node: SlurmNode = {
  ...{ name: 'n1', state: 'allocated', partitions: ['batch'], cpus: 8, allocatedCpus: 8 },
  ...{ memoryMib: 1, features: '', gres: '' },
};
const look = (at: Instant, jobs: readonly Job[]): Snapshot => ({
  ...{ cluster: clusterName('c'), at, tookMs: 1, jobs, partitions: [], nodes: [node], partial: [] },
});
/** Runs that took a tenth of what they asked for. */
const shortRuns = (count: number, over: Partial<EndedRun> = {}): EndedRun[] =>
  Array.from({ length: count }, (_, i) => ({
    ...{
      ref: jobRef(`${1_000 + i}`),
      user: 'ann',
      account: 'a',
      partition: 'batch',
      state: 'COMPLETED' as const,
      nodes: 1,
    },
    submitAt: start,
    startAt: start,
    endAt: instant(start + hour),
    timeLimitMs: 10 * hour,
    cpus: 8,
    ...over,
  }));

describe('what a cluster’s queue will do', () => {
  it('without history everybody runs to the limit, as Slurm reckons', () => {
    const foresight = new Foresight();
    foresight.look(look(start, [runs(1, start), job(2), job(3)]), []);
    expect(foresight.of(jobRef('2'))?.range.p50).toBeCloseTo(10 * hour, -5);
    expect(foresight.of(jobRef('3'))?.range.p50).toBeCloseTo(20 * hour, -5);
    expect(foresight.of(jobRef('3'))?.by).toBe('backfill 500, draws 100, 0 runs known');
  });

  it('a start that was not played again has drawn nearer, for the worth as for the race', () => {
    const foresight = new Foresight();
    const jobs = [runs(1, start), job(2)];
    foresight.look(look(start, jobs), []);
    const [before] = foresight.queues();
    foresight.look(look(instant(start + 4 * 60_000), jobs), []);
    const [after] = foresight.queues();
    expect(before?.startsInMs[0]).toBe(10 * hour);
    expect(after?.startsInMs[0]).toBe(10 * hour - 4 * 60_000);
    expect(after?.workMs).toEqual(before?.workMs);
  });

  it('with history they run as long as such jobs did', () => {
    const foresight = new Foresight();
    foresight.learn(shortRuns(200));
    foresight.look(look(start, [runs(1, start), job(2)]), []);
    const range = foresight.of(jobRef('2'))?.range;
    expect(range?.p50).toBeGreaterThan(0.5 * hour);
    expect(range?.p50).toBeLessThan(1.6 * hour);
    expect(foresight.learned).toBe(200);
  });

  it('learns nothing from runs that the site cut off, or that had no limit', () => {
    const foresight = new Foresight();
    foresight.learn(shortRuns(5, { state: 'NODE_FAIL' }));
    foresight.learn(shortRuns(5, { timeLimitMs: 'unlimited' }));
    expect(foresight.learned).toBe(0);
  });

  it('in a queue that stays as it is, starts only draw nearer; it is played again when somebody comes', () => {
    const foresight = new Foresight();
    const queue = [runs(1, start), job(2)];
    foresight.look(look(start, queue), []);
    const before = foresight.of(jobRef('2'))?.raw.p50 as number;
    foresight.look(look(instant(start + 120_000), queue), []);
    expect(foresight.of(jobRef('2'))?.raw.p50).toBe(before - 120_000);
    foresight.look(look(instant(start + 240_000), [...queue, job(3, { priority: 2_000 })]), []);
    expect(foresight.of(jobRef('2'))?.raw.p50).toBeGreaterThan(before);
  });

  it('who waits for something else, or in a partition without nodes, has no forecast; who asks for too much never starts', () => {
    const foresight = new Foresight();
    const jobs = [job(2, { reason: 'Dependency' }), job(3, { partition: 'cloud' }), job(4, { cpus: 9 })];
    foresight.look(look(start, jobs), []);
    expect(foresight.of(jobRef('2'))).toBeUndefined();
    expect(foresight.of(jobRef('3'))).toBeUndefined();
    expect(foresight.of(jobRef('4'))?.range.p50).toBe(Number.POSITIVE_INFINITY);
  });

  it('holds each first forecast against the start, and corrects for what it finds', () => {
    const foresight = new Foresight({ draws: 5, exact: 10 });
    let at = start;
    // Slurm thinks ten hours, and each is over in one: forty times the site errs the same way.
    for (let i = 1; i <= 40; i++) {
      foresight.look(look(at, [runs(i, at), job(i + 1)]), []);
      at = instant(at + hour);
      foresight.look(look(at, [runs(i + 1, at)]), []);
    }
    const errors = foresight.found();
    expect(errors).toHaveLength(40);
    expect(errors[0]).toMatchObject({ at: start, actualMs: hour });
    expect(foresight.found()).toEqual([]);
    foresight.look(look(at, [runs(41, at), job(42)]), []);
    const said = foresight.of(jobRef('42'));
    expect(said?.raw.p50).toBeGreaterThan(9 * hour);
    expect(said?.range.p50).toBeLessThan(1.5 * hour);
    const again = new Foresight({ draws: 5, exact: 10 });
    again.recall(errors);
    again.look(look(at, [runs(41, at), job(42)]), []);
    expect(again.of(jobRef('42'))?.range).toEqual(said?.range);
  });

  it('a limit of nothing is a minute: a look at it ends', () => {
    const foresight = new Foresight();
    foresight.look(look(start, [runs(1, start, { timeLimitMs: 0 }), job(2, { timeLimitMs: 0 }), job(3)]), []);
    expect(foresight.of(jobRef('2'))?.range.p90).toBeLessThan(120_000);
    expect(foresight.of(jobRef('3'))?.range.p90).toBeLessThan(180_000);
  });

  it('where very many run, fewer draws are taken, and the receipt says so', () => {
    expect(drawsFor(100, 0)).toBe(100);
    expect(drawsFor(100, 2_000)).toBe(100);
    expect(drawsFor(100, 20_000)).toBe(10);
    expect(drawsFor(100, 500_000)).toBe(8);
    expect(drawsFor(5, 500_000)).toBe(5);
  });

  it('a job that left the queue without a start here says nothing', () => {
    const foresight = new Foresight();
    foresight.look(look(start, [runs(1, start), job(2)]), []);
    const burst = {
      partition: 'burst',
      startAt: instant(start + 1),
      nodeList: 'c1',
      state: 'RUNNING',
    } as const;
    foresight.look(look(instant(start + 60_000), [runs(1, start), job(2, burst)]), ['burst']);
    foresight.look(look(instant(start + 120_000), [runs(1, start)]), ['burst']);
    expect(foresight.found()).toEqual([]);
  });
});
