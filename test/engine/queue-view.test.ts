/** What is told of a queue beside its lines: the rules that keep its jobs here, and the bursts of its arrays. */
import { describe, expect, it } from 'vitest';
import type { Decision } from '../../src/domain/decision.ts';
import { clusterName, instant, type JobRef, jobRef } from '../../src/domain/ids.ts';
import type { Job, Snapshot } from '../../src/domain/job.ts';
import { Portal } from '../../src/engine/portal.ts';
import { type Beside, byLine, countsOf, jobsOf } from '../../src/engine/queue-view.ts';
import type { DeskPort } from '../../src/ports.ts';
import { detail } from '../burst/fixtures.ts';
import { aBurst } from '../contract/samples.ts';
import { minute } from './chaos/centre.ts';
import { fullSite } from './policy.bed.ts';

const cluster = clusterName('c');
const snapshotOf = (jobs: readonly Job[]): Snapshot => ({
  ...{ cluster, at: instant(1), tookMs: 1, jobs, partitions: [], nodes: [], partial: [] },
});
const kept = (...rules: readonly string[]): Decision => ({
  verdict: 'wait',
  because: rules.map((rule) => ({ rule, pass: false, measured: '', limit: '' })),
  group: undefined,
});
const besideOf = (decided: ReadonlyMap<JobRef, Decision>): Beside => ({
  decided: (ref) => decided.get(ref),
  turn: 1,
  bursts: () => [],
});

describe('jobs by rule', () => {
  it('are what the gateway decided in its newest turn, of the whole queue', async () => {
    const site = fullSite();
    const gateway = await site.start('policy: { burstWhen: { pendingJobs: 9 } }\n');
    try {
      const { alice, bob } = await site.waiting();
      const refs = [alice, bob, site.submit('bob')];
      await site.pass(minute);
      const portal = new Portal(gateway.clusters, site.store, {} as DeskPort, site.time);
      const told = new Map<string, number>();
      for (const ref of refs) {
        const decision = (await site.decided(ref))?.decision;
        expect(decision).toBeDefined();
        if (decision?.verdict === 'burst') continue;
        for (const rule of new Set(decision?.because.filter((r) => !r.pass).map((r) => r.rule)))
          told.set(rule, (told.get(rule) ?? 0) + 1);
      }
      expect(told.size).toBeGreaterThan(0);
      const [counted] = await portal.counts({}, 'rule');
      expect(new Map(counted?.counts.map((c) => [c.key, c.jobs]))).toEqual(told);
      const [rule = ''] = [...told.keys()];
      const { rows } = await portal.jobs({ rule }, { limit: 100 });
      expect(rows).toHaveLength(told.get(rule) ?? 0);
    } finally {
      await gateway.stop();
    }
  });

  it('of an array that waits are its first task’s', () => {
    const array = detail({ ref: jobRef('7'), id: 7, arrayJobId: 7, arrayTask: '3-9%2' });
    const beside = besideOf(new Map([[jobRef('7_3'), kept('array', 'budget')]]));
    const counts = countsOf(snapshotOf([array]), beside, {}, 'rule');
    expect(counts.map((c) => [c.key, c.jobs])).toEqual([
      ['array', 1],
      ['budget', 1],
    ]);
  });

  it('are counted once for each turn: what was decided is read again when it may be something else', () => {
    const snapshot = snapshotOf([detail({ ref: jobRef('8'), id: 8 }), detail({ ref: jobRef('9'), id: 9 })]);
    const decided = new Map([[jobRef('8'), kept('backlog')]]);
    let read = 0;
    const besideAt = (turn: number): Beside => ({
      ...{ ...besideOf(decided), turn },
      decided: (ref) => {
        read += 1;
        return decided.get(ref);
      },
    });
    const counted = (turn: number, rule?: string) =>
      countsOf(snapshot, besideAt(turn), { rule }, 'rule').map((c) => [c.key, c.jobs]);
    expect([counted(1), counted(1), read]).toEqual([[['backlog', 1]], [['backlog', 1]], 2]);
    expect(counted(1, 'budget')).toEqual([]);
    decided.set(jobRef('9'), kept('budget'));
    expect(counted(2, 'budget')).toEqual([['budget', 1]]);
    expect(new Map(counted(2).map(([key, jobs]) => [key, jobs]))).toEqual(
      new Map([
        ['backlog', 1],
        ['budget', 1],
      ]),
    );
  });

  it('are none of a job that has started, whatever was decided while it waited', () => {
    const started = detail({ ref: jobRef('8'), id: 8, state: 'RUNNING' });
    const beside = besideOf(new Map([[jobRef('8'), kept('backlog')]]));
    expect(countsOf(snapshotOf([started]), beside, {}, 'rule')).toEqual([]);
    expect(jobsOf(snapshotOf([started]), beside, { rule: 'backlog' }, undefined, 9)).toEqual([]);
  });
});

it('a burst of an array task is its own line’s and that of its array', () => {
  const bursts = ['7_1', '7_2', '8'].map((ref) => aBurst({ ref: jobRef(ref) }));
  const lines = byLine(bursts);
  expect(['7', '7_1', '7_2', '8', '9'].map((line) => lines.get(line)?.map((b) => b.ref))).toEqual([
    ['7_1', '7_2'],
    ['7_1'],
    ['7_2'],
    ['8'],
    undefined,
  ]);
});

it('a burst that has started is its task’s own line’s alone: the tasks that wait are not in the list for it', () => {
  const line = (ref: string, over: Partial<Job>): Job =>
    detail({ ref: jobRef(ref), arrayJobId: 12, ...over });
  const jobs = [
    line('12', { id: 12, arrayTask: '5-9' }),
    line('12_3', { id: 13, arrayTask: '3', state: 'RUNNING' }),
  ];
  const bursts = byLine([
    aBurst({ ref: jobRef('12_3'), state: 'running' }),
    aBurst({ ref: jobRef('12_5'), state: 'proposed' }),
  ]);
  const beside: Beside = { ...besideOf(new Map()), bursts: (ref) => bursts.get(ref) ?? [] };
  const shown = (burst: 'running' | 'proposed') =>
    jobsOf(snapshotOf(jobs), beside, { burst }, undefined, 9).map((j) => j.ref);
  expect([shown('running'), shown('proposed')]).toEqual([['12_3'], ['12']]);
});
