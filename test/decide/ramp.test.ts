/** The ramp: what mode auto may do in a day at a site that is new to it. */
import { describe, expect, it } from 'vitest';
import { decideBacklog } from '../../src/decide/backlog.ts';
import { rampDayOf } from '../../src/decide/ramp-day.ts';
import { assumed } from '../../src/decide/ready.ts';
import { onRamp } from '../../src/decide/rules/ramp.ts';
import type { Burst } from '../../src/domain/burst.ts';
import { clusterName, instant, jobRef } from '../../src/domain/ids.ts';
import type { NodeGroup } from '../../src/domain/policy.ts';
import { GiB, nothing } from '../../src/domain/resources.ts';
import { at, burst, detail } from '../burst/fixtures.ts';

const usd = 1_000_000;
const ramp = { jobsPerDay: 5, microUsdPerDay: 50 * usd };
const costs = (held: number) => () => ({ kind: 'known', price: { held, rates: { m: usd } } }) as const;

describe('the ramp', () => {
  it.each<[string, number, number, number, boolean]>([
    ['room for both', 4, 40 * usd, 10 * usd, true],
    ['no room for another job', 5, 0, 0, false],
    ['no room for its worst case', 0, 40 * usd, 10 * usd + 1, false],
  ])('%s', (_, jobs, microUsd, held, pass) => {
    expect(onRamp({ job: detail(), ramp: { ramp, jobs, microUsd }, worstCase: costs(held) }).pass).toBe(pass);
  });

  it('says what was used, what is allowed and what lifts it', () => {
    const said = onRamp({
      job: detail(),
      ramp: { ramp, jobs: 5, microUsd: 12_340_000 },
      worstCase: costs(1),
    });
    expect(said).toEqual({
      pass: false,
      measured: '5 jobs and 12.34 USD today',
      limit: 'at most 5 jobs and 50.00 USD a day (UTC) until `spillway ramp lift`',
    });
  });

  it('lets nothing through whose cost is not known', () => {
    const worstCase = () => ({ kind: 'unknown', why: 'no price for m' }) as const;
    const said = onRamp({ job: detail(), ramp: { ramp, jobs: 0, microUsd: 0 }, worstCase });
    expect(said).toMatchObject({ pass: false, measured: expect.stringContaining('no price for m') });
  });

  it('that is lifted, off or of another mode says nothing', () => {
    expect(onRamp({ job: detail(), ramp: undefined, worstCase: costs(1e12) })).toMatchObject({ pass: true });
  });
});

describe('what counts against the ramp today', () => {
  const price = { held: 10 * usd, rates: { m: 2 * usd } };
  const hours = (n: number) => instant(at + n * 3_600_000);
  const day = (...bursts: Partial<Burst>[]) => rampDayOf(ramp, bursts.map(burst), hours(9), () => 7 * usd);

  it('is what is under way by the most that it can cost, held or not yet', () => {
    expect(day({ state: 'running', price }, { state: 'proposed' })).toEqual({
      ramp,
      jobs: 2,
      microUsd: 17 * usd,
    });
  });

  it('is what has run by what it did cost', () => {
    const ran = { state: 'settled', price, machine: 'm', startedAt: hours(0), endedAt: hours(1) } as const;
    expect(day(ran)).toMatchObject({ jobs: 1, microUsd: 2 * usd });
  });

  it('is not what gave its job back before anything ran, nor the next run of a job', () => {
    expect(
      day(
        { state: 'returned', price },
        { state: 'withdrawn' },
        { state: 'running', origin: 'requeue', price },
      ),
    ).toMatchObject({ jobs: 0, microUsd: 0 });
  });
});

describe('one turn', () => {
  const group: NodeGroup = {
    ...{ name: 'cpu', launchTemplate: 't', types: ['m'], zones: ['a'], vcpuPerCpu: 1, overhead: nothing },
    ...{ capacityType: 'on-demand', max: 9, idleMs: 1, joinTimeoutMs: 1, lostAfterMs: 1 },
    ...{ prices: { m: 8 * usd }, taint: { key: 'k', value: 'v', effect: 'NoSchedule' } },
  };
  const decided = (jobs: number, microUsdPerDay: number) =>
    decideBacklog({
      snapshot: {
        ...{ cluster: clusterName('hpc1'), at, tookMs: 1, partitions: [], nodes: [], partial: [] },
        jobs: Array.from({ length: 8 }, (_, i) =>
          detail({ ref: jobRef(`${i + 1}`), id: i + 1, partition: 'cloud', reason: 'PartitionDown' }),
        ),
      },
      now: at,
      setup: {
        ...{ name: clusterName('hpc1'), watch: [], explicit: 'cloud', waitPartition: 'burst_wait' },
        ...{ burstPartition: 'burst', mode: 'auto', onLost: 'fail', pollMs: 1_000 },
      },
      policy: {
        burstWhen: [],
        never: [],
        maxBursts: 99,
        maxTimeMs: undefined,
        backOffMs: 1,
        returns: 3,
        budgets: [],
      },
      groups: [{ group, types: [{ name: 'm', vcpus: 8, memoryBytes: 32 * GiB, gpus: 0 }] }],
      stop: undefined,
      live: new Set(),
      liveBursts: 0,
      returned: new Map(),
      budgets: [],
      ramp: { ramp: { jobsPerDay: 5, microUsdPerDay }, jobs, microUsd: 0 },
      beside: nothing,
      forecast: () => undefined,
      queues: [],
      had: new Map(),
      readyIn: () => assumed,
      examined: () => undefined,
    });

  it('counts what it has approved itself, jobs and dollars', () => {
    const burst = (all: ReturnType<typeof decided>) =>
      all.filter((d) => d.decision.verdict === 'burst').length;
    expect(burst(decided(0, 50 * usd))).toBe(5);
    expect(burst(decided(3, 50 * usd))).toBe(2);
    // One of eight CPUs for ten minutes and as long a margin: a third of a dollar each.
    expect(burst(decided(0, usd + 2))).toBe(3);
    expect(decided(5, usd)[0]?.decision).toMatchObject({ verdict: 'wait' });
  });
});
