/** What of the accounting and of the last look is played again. */
import { describe, expect, it } from 'vitest';
import { instant, jobRef } from '../../src/domain/ids.ts';
import type { EndedRun, Job, Snapshot } from '../../src/domain/job.ts';
import { nodesOf, pastOf, processorsOf } from '../../src/engine/past.ts';
import { detail } from '../burst/fixtures.ts';
import { aBurst } from '../contract/samples.ts';
import { cluster } from './chaos/centre.ts';

const hour = 3_600_000;
const until = instant(Date.UTC(2026, 9, 8));
const ago = (hours: number) => instant(until - hours * hour);

const run = (id: string, over: Partial<EndedRun> = {}): EndedRun => ({
  ...{ ref: jobRef(id), user: 'alice', account: 'physics', partition: 'batch', state: 'COMPLETED' },
  ...{ submitAt: ago(9), startAt: ago(8), endAt: ago(6), timeLimitMs: 4 * hour, cpus: 4, nodes: 1 },
  ...over,
});
const line = (id: number, over: Partial<Job> = {}): Job =>
  detail({
    ...{ ref: jobRef(String(id)), id, partition: 'batch', state: 'RUNNING', submitAt: ago(5) },
    ...{ startAt: ago(3), timeLimitMs: 8 * hour, cpus: 2 },
    ...over,
  });
const partition = {
  ...{ name: 'batch', up: true, defaultTimeMs: hour, maxTimeMs: 24 * hour, defMemory: undefined },
  ...{ priorityJobFactor: 1, nodes: 'n[1-2]', totalNodes: 2, totalCpus: 16, overSubscribe: 'NO' },
};
const node = (name: string, partitions: readonly string[], state = 'IDLE') => ({
  ...{ name, state, partitions, cpus: 8, allocatedCpus: 0, memoryMib: 1, features: '', gres: '' },
});
const look = (jobs: readonly Job[] = []): Snapshot => ({
  ...{ cluster, at: until, tookMs: 1, jobs, partitions: [partition], partial: [] },
  nodes: [node('n1', ['batch', 'other']), node('n2', ['batch'], 'DOWN'), node('v1', ['burst'])],
});
const setup = { watch: ['batch'], explicit: 'cloud', waitPartition: 'burst_wait', burstPartition: 'burst' };
const past = (
  runs: readonly EndedRun[],
  jobs: readonly Job[] = [],
  bursts: Parameters<typeof pastOf>[0]['bursts'] = [],
) => pastOf({ runs, unread: 2, snapshot: look(jobs), bursts, setup, until });

describe('the days that are played', () => {
  it('are the runs that ended and those that run still, which are taken to end now', () => {
    const made = past([run('1')], [line(2), line(3, { state: 'PENDING', startAt: undefined })]);
    expect(made.jobs).toMatchObject([
      { submitMs: ago(9), startMs: ago(8), endMs: ago(6), limitMs: 4 * hour, cpus: 4, partition: 'batch' },
      { submitMs: ago(5), startMs: ago(3), endMs: until, limitMs: 8 * hour, cpus: 2 },
    ]);
    expect(made).toMatchObject({ running: 1, leftOut: { waiting: 1, unread: 2, elsewhere: 0, asked: 0 } });
  });

  it('have what slurmdbd noted of memory, GRES and priority, and of who runs still what his line tells', () => {
    const noted = { memoryMib: 8_000, gres: new Map([['gpu', 2]]), priority: 900 };
    const still = line(2, { gres: 'gres/gpu:a100=2', minNodes: 2, priority: 7 });
    const bare = { memoryMib: undefined, gres: new Map(), priority: undefined, inCloud: false };
    const made = past([run('1', noted), run('3')], [still]);
    expect(made.jobs).toMatchObject([
      noted,
      bare,
      {
        ...bare,
        gres: new Map([
          ['gpu', 4],
          ['gpu:a100', 4],
        ]),
        priority: 7,
      },
    ]);
    expect(made).toMatchObject({ memoryUntold: 2, priorityUntold: 1 });
    // Who asked for no memory has that of his partition.
    const usual = {
      ...look([still]),
      partitions: [{ ...partition, defMemory: { per: 'cpu' as const, mib: 100 } }],
    };
    const of = pastOf({ runs: [], unread: 0, snapshot: usual, bursts: [], setup, until });
    expect(of).toMatchObject({ memoryUntold: 0, jobs: [{ memoryMib: 200 }] });
  });

  it.each([
    ['gres/gpu=2', { gpu: 6 }],
    ['gres/gpu:a100=1,gres/gpu:v100=1', { gpu: 6, 'gpu:a100': 3, 'gpu:v100': 3 }],
    // Of the job, whether or not its nodes share them evenly; and the same asked for twice is once.
    ['per-job/gres/gpu=4', { gpu: 4 }],
    ['gres/gpu=2,per-task/gres/gpu=1', { gpu: 6 }],
    ['', {}],
    ['gres/gpu:a:b=1', {}],
  ])('count the GRES of who runs still over all his nodes: %j', (gres, all) => {
    const [job] = past([], [line(2, { gres, minNodes: 3 })]).jobs;
    expect(job?.gres).toEqual(new Map(Object.entries(all)));
  });

  it('have each run of a job that was requeued, under a name of its own', () => {
    const made = past([run('1'), run('1', { startAt: ago(5), endAt: ago(4) })]);
    expect(new Set(made.jobs.map((j) => j.id)).size).toBe(2);
  });

  it('are without other partitions, and without who asked for the cloud himself', () => {
    const made = past(
      [run('1', { partition: 'gpu' }), run('2', { partition: 'cloud' })],
      [line(3, { partition: 'gpu,batch' }), line(4, { partition: 'gpu', state: 'PENDING' })],
    );
    expect(made.jobs).toMatchObject([{ partition: 'gpu,batch' }]);
    expect(made.leftOut).toMatchObject({ elsewhere: 1, asked: 1, waiting: 0 });
  });

  it('put who ran in the cloud back to where he came from', () => {
    const came = (id: string, partition: string) => {
      const b = aBurst({ ref: jobRef(id), submitAt: ago(9) });
      return { ...b, saved: { ...b.saved, partition } };
    };
    const runs = ['1', '2', '3'].map((id) => run(id, { partition: 'burst' }));
    const made = past(runs, [], [came('1', 'fast,batch'), came('2', 'cloud')]);
    expect(made.jobs.map((j) => j.partition)).toEqual(['fast,batch', 'batch']);
    expect(made).toMatchObject({ wereInCloud: 2, leftOut: { asked: 1 } });
  });

  it('give who asked for no time limit that of his partition', () => {
    const limits = [
      run('1', { timeLimitMs: 'partition' }),
      run('2', { timeLimitMs: 'unlimited' }),
      run('3', { timeLimitMs: 'partition', partition: 'burst' }),
    ];
    expect(past(limits).jobs.map((j) => j.limitMs)).toEqual([24 * hour, undefined, 24 * hour]);
  });
});

it('the machine is every node of the watched partitions, whatever its state today', () => {
  expect(processorsOf(look(), ['batch'])).toBe(16);
  expect(processorsOf(look(), ['other'])).toBe(8);
  expect(processorsOf(look(), ['none'])).toBe(0);
});

it('nodes are put together where watched partitions share them, with what each partition has of them', () => {
  const of = (name: string, partitions: readonly string[], gres = '') => ({
    ...node(name, partitions),
    gres,
  });
  const nodes = [
    of('n1', ['batch', 'other']),
    of('g1', ['gpu'], 'gpu:a100:2(S:0-1)'),
    of('n2', ['batch', 'debug']),
    of('x1', ['other']),
  ];
  const bare = { gres: new Map(), memoryMib: 1, cpus: 8 };
  const gpus = {
    ...bare,
    gres: new Map([
      ['gpu', 2],
      ['gpu:a100', 2],
    ]),
  };
  expect(nodesOf({ nodes }, ['batch', 'gpu', 'debug'])).toEqual([
    {
      ...{ cpus: 16, memoryMib: 2, gres: new Map() },
      partitions: [
        { name: 'batch', cpus: 16, memoryMib: 2, gres: new Map(), holds: ['batch', 'debug'] },
        { name: 'debug', ...bare, holds: ['debug'] },
      ],
    },
    { ...gpus, partitions: [{ name: 'gpu', ...gpus, holds: ['gpu'] }] },
  ]);
});
