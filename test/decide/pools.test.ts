import { describe, expect, it } from 'vitest';
import { poolsOf } from '../../src/decide/pools.ts';
import { clusterName, instant, jobRef } from '../../src/domain/ids.ts';
import type { Job, Partition, SlurmNode, Snapshot } from '../../src/domain/job.ts';
import { detail } from '../burst/fixtures.ts';

const now = instant(1_790_000_000_000);
const hour = 3_600_000;

const job = (id: number, over: Partial<Job> = {}): Job =>
  detail({
    ref: jobRef(`${id}`),
    ...{ id, user: 'ann', submitAt: instant(now - id), priority: 1, timeLimitMs: hour, cpus: 2 },
    eligibleAt: undefined,
    ...over,
  });
const node = (name: string, partitions: readonly string[], over: Partial<SlurmNode> = {}): SlurmNode => ({
  name,
  state: 'idle',
  partitions,
  cpus: 8,
  allocatedCpus: 0,
  memoryMib: 1,
  features: '',
  gres: '',
  ...over,
});
const partition = (name: string, over: Partial<Partition> = {}): Partition => ({
  name,
  up: true,
  defaultTimeMs: 2 * hour,
  maxTimeMs: 'unlimited',
  defMemory: undefined,
  priorityJobFactor: 1,
  nodes: '',
  totalNodes: 1,
  totalCpus: 8,
  overSubscribe: 'NO',
  ...over,
});
const snapshot = (
  jobs: readonly Job[],
  nodes: readonly SlurmNode[],
  partitions: readonly Partition[] = [],
): Snapshot => ({ cluster: clusterName('c'), at: now, tookMs: 1, jobs, nodes, partitions, partial: [] });

describe('what a forecast sees of a cluster', () => {
  it('partitions that share a node are one machine; others are machines of their own', () => {
    const pools = poolsOf(
      snapshot(
        [job(1), job(2, { partition: 'long' }), job(3, { partition: 'gpu' })],
        [node('n1', ['batch']), node('n2', ['batch', 'long']), node('g1', ['gpu'])],
      ),
      [],
    );
    expect(
      pools.map((p) => [[...p.partitions].sort(), p.view.processors, p.waits.map((w) => w.ref)]),
    ).toEqual([
      [['batch', 'long'], 16, ['2', '1']],
      [['gpu'], 8, ['3']],
    ]);
  });

  it('the gateway’s own partitions and their nodes are none of it', () => {
    const pools = poolsOf(snapshot([], [node('n1', ['batch']), node('c1', ['burst', 'burst_wait'])]), [
      'burst',
      'burst_wait',
    ]);
    expect(pools.map((p) => p.partitions)).toEqual([['batch']]);
  });

  it('a node that takes no new work counts by what it still runs', () => {
    const [pool] = poolsOf(
      snapshot(
        [],
        [
          node('n1', ['batch'], { state: 'draining', allocatedCpus: 3 }),
          node('n2', ['batch'], { state: 'down*', cpus: 64 }),
          node('n3', ['batch'], { state: 'mixed', allocatedCpus: 2 }),
          node('n4', ['batch'], { state: 'idle~' }),
        ],
      ),
      [],
    );
    expect(pool?.view.processors).toBe(3 + 8 + 8);
  });

  it('who is held, waits for another job or may not begin yet is not in the queue', () => {
    const [pool] = poolsOf(
      snapshot(
        [
          job(1, { reason: 'Dependency' }),
          job(2, { reason: 'JobHeldUser' }),
          job(3, { reason: 'Priority', eligibleAt: now }),
          job(4, { reason: 'None', eligibleAt: instant(now + 1_000) }),
        ],
        [node('n1', ['batch'])],
      ),
      [],
    );
    expect(pool?.waits.map((w) => w.ref)).toEqual(['3']);
  });

  it('priority, then submit time; the tasks of an array one by one; running jobs by their age', () => {
    const [pool] = poolsOf(
      snapshot(
        [
          job(1, { priority: 5 }),
          job(2, { priority: 9, arrayJobId: 2, arrayTask: '0-2' }),
          job(3, { state: 'RUNNING', startAt: instant(now - hour / 2), nodeList: 'n1' }),
        ],
        [node('n1', ['batch'])],
      ),
      [],
    );
    expect(pool?.waits.map((w) => w.ref)).toEqual(['2_0', '2_1', '2_2', '1']);
    expect(pool?.view.running).toEqual([
      { user: 'ann', account: 'physics', processors: 2, limitMs: hour, ageMs: hour / 2 },
    ]);
  });

  it('a job without a limit of its own has its partition’s', () => {
    const limits = (over: Partial<Partition>): number | undefined =>
      poolsOf(
        snapshot([job(1, { timeLimitMs: 'partition' })], [node('n1', ['batch'])], [partition('batch', over)]),
        [],
      )[0]?.view.waiting[0]?.limitMs;
    expect(limits({})).toBe(2 * hour);
    expect(limits({ defaultTimeMs: undefined, maxTimeMs: 3 * hour })).toBe(3 * hour);
    expect(limits({ defaultTimeMs: undefined })).toBe(365 * 86_400_000);
  });
});
