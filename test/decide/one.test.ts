/** One job more: what is said of it is what the next look would say, were it there, and nothing else changes. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Foresight } from '../../src/decide/foresight.ts';
import { clusterName, instant, jobRef } from '../../src/domain/ids.ts';
import type { Job, Snapshot } from '../../src/domain/job.ts';
import { detail } from '../burst/fixtures.ts';

const at = instant(1_800_000_000_000);
const minute = 60_000;
const ours = ['burst', 'burst_wait'];

const jobs = fc.array(
  fc.record({
    runs: fc.boolean(),
    cpus: fc.integer({ min: 1, max: 20 }),
    limitMin: fc.integer({ min: 1, max: 600 }),
    priority: fc.integer({ min: 1, max: 5 }),
    ageMin: fc.integer({ min: 0, max: 60 }),
    partition: fc.constantFrom('batch', 'gpu', 'batch,gpu'),
  }),
  { maxLength: 25 },
);
type Made = typeof jobs extends fc.Arbitrary<infer T> ? T : never;

const lineOf = ({ runs, cpus, limitMin, priority, ageMin, partition }: Made[number], id: number): Job =>
  detail({
    ...{ ref: jobRef(`${id}`), id, cpus, priority, partition, timeLimitMs: limitMin * minute },
    ...{ submitAt: instant(at - ageMin * minute), eligibleAt: instant(at - ageMin * minute) },
    ...(runs
      ? { state: 'RUNNING', partition: 'batch', startAt: instant(at - ageMin * minute), nodeList: 'n1' }
      : {}),
  });
const node = (name: string, partition: string) => ({
  ...{ name, state: 'IDLE', partitions: [partition], cpus: 16, allocatedCpus: 0 },
  ...{ memoryMib: 1_000, features: '', gres: '' },
});
const queueOf = (lines: readonly Job[]): Snapshot => ({
  ...{ cluster: clusterName('hpc1'), at, tookMs: 1, jobs: lines, partitions: [], partial: [] },
  nodes: [node('n1', 'batch'), node('n2', 'gpu')],
});

describe('one job more', () => {
  it('is forecast as if it were in the queue, among any others', () => {
    fc.assert(
      fc.property(
        jobs,
        fc.integer({ min: 1, max: 16 }),
        fc.integer({ min: 1, max: 5 }),
        (made, cpus, priority) => {
          const lines = made.map((m, i) => lineOf(m, i + 1));
          const more = detail({
            ...{ ref: jobRef('quote'), id: 2 ** 32, cpus, priority, timeLimitMs: 60 * minute },
            ...{ submitAt: at, eligibleAt: at },
          });
          const [asked, there] = [new Foresight(), new Foresight()];
          asked.look(queueOf(lines), ours);
          const before = JSON.stringify([asked.queues(), lines.map(({ ref }) => asked.of(ref))]);
          const { forecast, queues } = asked.withOne(more, queueOf(lines), ours, new Set());
          there.look(queueOf([...lines, more]), ours);
          expect(forecast).toEqual(there.of(more.ref));
          const shape = (f: ReturnType<Foresight['queues']>) =>
            f.map(({ waits, startsInMs }) => [waits.map(({ ref }) => ref), [...startsInMs]]).sort();
          expect(shape(queues)).toEqual(shape(there.queues()));
          // Nothing of it is kept.
          expect(JSON.stringify([asked.queues(), lines.map(({ ref }) => asked.of(ref))])).toBe(before);
          expect(asked.of(more.ref)).toBeUndefined();
          expect(asked.found()).toEqual([]);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('is not forecast while it waits for something else, or where no machine of its partition is', () => {
    const asked = new Foresight();
    asked.look(queueOf([]), ours);
    const one = (over: Partial<Job>) =>
      asked.withOne(detail({ submitAt: at, eligibleAt: at, ...over }), queueOf([]), ours, new Set()).forecast;
    expect(one({ reason: 'Dependency' })).toBeUndefined();
    expect(one({ partition: 'cloud' })).toBeUndefined();
    expect(one({})?.range).toEqual({ p10: 0, p50: 0, p90: 0 });
  });
});
