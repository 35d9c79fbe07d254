import { describe, expect, it } from 'vitest';
import { fairOrder, slurmOrder } from '../../src/decide/order.ts';
import { instant, jobRef } from '../../src/domain/ids.ts';
import type { Job } from '../../src/domain/job.ts';
import { Chance } from '../../src/sim/chance.ts';

const one = (name: string, account: string, value = 0, takes = 1) => ({ name, account, value, takes });
const names = (all: readonly { readonly name: string }[]) => all.map((c) => c.name).join(' ');

describe('who goes first', () => {
  it('of one account the most worth, and of equals who stood first', () => {
    const inf = Number.POSITIVE_INFINITY;
    const all = [
      one('a', 'p', 1),
      one('b', 'p', 3),
      one('c', 'p', 3),
      one('d', 'p', inf),
      one('e', 'p', inf),
    ];
    expect(names(fairOrder(all, new Map()))).toBe('d e b c a');
  });

  it('of the accounts the one that had least, whatever its jobs are worth', () => {
    const all = [
      ...['a1', 'a2', 'a3', 'a4'].map((n) => one(n, 'a', 100)),
      ...['b1', 'b2'].map((n) => one(n, 'b', 1)),
    ];
    expect(names(fairOrder(all, new Map()))).toBe('a1 b1 a2 b2 a3 a4');
    expect(names(fairOrder(all, new Map([['a', 2]])))).toBe('b1 b2 a1 a2 a3 a4');
  });

  it('a big job counts for as many small ones', () => {
    const all = [
      one('big', 'a', 1, 3),
      one('next', 'a', 1, 1),
      ...[1, 2, 3, 4].map((n) => one(`s${n}`, 'b', 1, 1)),
    ];
    expect(names(fairOrder(all, new Map()))).toBe('big s1 s2 s3 next s4');
  });

  it('is everybody once, and at no moment is an account further ahead than its last job', () => {
    const chance = new Chance(2);
    for (let n = 0; n < 200; n++) {
      const all = Array.from({ length: chance.whole(0, 40) }, (_, i) =>
        one(`${i}`, chance.pick(['a', 'b', 'c']), chance.whole(0, 5), chance.whole(1, 9)),
      );
      const order = fairOrder(all, new Map());
      expect([...order].sort((a, b) => Number(a.name) - Number(b.name))).toEqual(all);
      const taken = new Map<string, number>();
      for (const [i, c] of order.entries()) {
        const waits = new Set(order.slice(i).map((o) => o.account));
        for (const other of waits)
          expect(taken.get(c.account) ?? 0).toBeLessThanOrEqual(taken.get(other) ?? 0);
        taken.set(c.account, (taken.get(c.account) ?? 0) + c.takes);
      }
    }
  });
});

describe('as Slurm orders those that wait', () => {
  const ordered = (jobs: readonly Job[]): Job[] => [...slurmOrder(jobs)].map((at) => jobs[at] as Job);
  const job = (id: number, priority: number, submitAt: number): Job =>
    ({ id, ref: jobRef(`${id}`), priority, submitAt: instant(submitAt) }) as Job;
  const compared = (jobs: readonly Job[]): Job[] =>
    [...jobs].sort((a, b) => b.priority - a.priority || a.submitAt - b.submitAt || a.id - b.id);

  it('by priority, then submit time, then id; what is alike in all keeps its place', () => {
    const chance = new Chance(3);
    for (const spread of [1, 3, 1_000, 2 ** 32 - 1]) {
      const jobs = Array.from({ length: 400 }, () =>
        job(chance.whole(1, 150), chance.whole(0, spread), chance.whole(1, 4)),
      );
      const order = ordered(jobs);
      expect(order).toEqual(compared(jobs));
      expect(order.every((j, i) => j === compared(jobs)[i])).toBe(true);
    }
    expect(ordered([])).toEqual([]);
  });

  it('also by priorities that Slurm does not have', () => {
    const jobs = [job(1, 0.5, 1), job(2, 2 ** 40, 1), job(3, -1, 1), job(4, 0.75, 1)];
    expect(ordered(jobs).map((j) => j.id)).toEqual([2, 4, 1, 3]);
    expect(ordered([job(1, 0.5, 1), job(2, 0.75, 1)]).map((j) => j.id)).toEqual([2, 1]);
  });
});
