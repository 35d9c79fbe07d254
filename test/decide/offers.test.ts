/** What a group offers a job: price, expected and worst cost, and how it may go wrong. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Chances, chancesOf, countByGroup, lostWithin } from '../../src/decide/chances.ts';
import { offersOf, type Wanted } from '../../src/decide/offers.ts';
import { priceOf } from '../../src/decide/price.ts';
import { assumed } from '../../src/decide/ready.ts';
import type { OfferedGroup } from '../../src/decide/rule.ts';
import type { Burst } from '../../src/domain/burst.ts';
import { draws } from '../../src/domain/draws.ts';
import { instant } from '../../src/domain/ids.ts';
import { GiB, nothing } from '../../src/domain/resources.ts';

const hour = 3_600_000;
const offered: OfferedGroup = {
  group: {
    ...{ name: 'cpu', launchTemplate: 't', types: ['tiny', 'bare', 'big', 'small'], zones: ['a', 'b'] },
    ...{ vcpuPerCpu: 1, overhead: nothing, capacityType: 'on-demand', max: 4, idleMs: 1 },
    ...{ joinTimeoutMs: 1, lostAfterMs: 1, prices: { tiny: 1, small: 1_000_000, big: 3_000_000 } },
    taint: { key: 'k', value: 'v', effect: 'NoSchedule' },
  },
  types: [
    { name: 'tiny', vcpus: 1, memoryBytes: GiB, gpus: 0 },
    { name: 'bare', vcpus: 8, memoryBytes: 32 * GiB, gpus: 0 },
    { name: 'big', vcpus: 8, memoryBytes: 32 * GiB, gpus: 0 },
    { name: 'small', vcpus: 4, memoryBytes: 16 * GiB, gpus: 0 },
  ],
};
const wanted: Wanted = {
  needs: { cpuMillis: 2_000, memoryBytes: GiB, extended: {} },
  nodes: 1,
  ...{ timeLimitMs: 4 * hour, expectedMs: 2 * hour, marginMs: 0, again: false, noCapacityMs: hour },
};
const never: Chances = { noCapacity: 0.05, lossesPerHour: 0, asked: 0, hours: 0 };

describe('the offers of a group', () => {
  it('are the types that hold the job, the cheapest machine first, those without a price last', () => {
    const offers = offersOf(wanted, offered, assumed, never);
    expect(offers.map((o) => o.type)).toEqual(['small', 'big', 'bare']);
    expect(offers[0]).toEqual({
      ...{ group: 'cpu', type: 'small', zones: ['a', 'b'], capacityType: 'on-demand' },
      // Half of the machine for two hours; a type that may come has no price, so nobody knows the most.
      cost: { perHour: 500_000, expected: 1_000_000, worst: undefined },
      ...{ readyMs: { p50: assumed.p50, p90: assumed.p90 }, noCapacity: 0.05, interrupted: 0 },
      // One in twenty waits another hour.
      ...{ expectedStartMs: assumed.p50 + 0.05 * hour, expectedEndMs: assumed.p50 + 0.05 * hour + 2 * hour },
    });
    expect(offers[2]?.cost).toBeUndefined();
  });

  it('pay for the machine while data are carried, and for what leaves the cloud', () => {
    const carrying = { inMs: hour, outMs: hour / 2 };
    const [bare] = offersOf(wanted, offered, assumed, never);
    const [offer] = offersOf({ ...wanted, carrying, egressMicroUsd: 7 }, offered, assumed, never);
    expect(offer?.cost?.expected).toBe((bare?.cost?.expected ?? 0) + 750_000 + 7);
    // What is carried before its first line is in its ready time, which others tell.
    expect(offer?.expectedStartMs).toBe(bare?.expectedStartMs);
    expect(offer?.expectedEndMs).toBe((bare?.expectedEndMs ?? 0) + hour / 2);
  });

  it('expect of carrying no more than the time limit lets through, which counts it', () => {
    const carrying = { inMs: 9 * hour, outMs: hour };
    const [offer] = offersOf({ ...wanted, carrying }, offered, assumed, never);
    expect(offer?.cost?.expected).toBe(500_000 * 4);
  });

  it('are more often lost the longer they carry', () => {
    const often: Chances = { ...never, lossesPerHour: 0.5 };
    const [offer] = offersOf({ ...wanted, carrying: { inMs: hour, outMs: 0 } }, offered, assumed, often);
    expect(offer?.interrupted).toBeCloseTo(1 - Math.exp(-1.5));
  });

  it('hold what may leave the cloud', () => {
    const priced = { ...offered, types: offered.types.filter((t) => t.name !== 'bare') };
    const [offer] = offersOf({ ...wanted, egressMicroUsd: 5 }, priced, assumed, never);
    expect(offer?.cost?.worst).toBe(3_000_005);
  });

  it('tell the worst case that is held', () => {
    const priced = { ...offered, types: offered.types.filter((t) => t.name !== 'bare') };
    const worst = priceOf(wanted.needs, wanted.timeLimitMs, priced, 0);
    const held = worst.kind === 'known' ? worst.price.held : undefined;
    expect(held).toBe(3_000_000);
    for (const o of offersOf(wanted, priced, assumed, never)) expect(o.cost?.worst).toBe(held);
  });

  it('cost more where a lost run is run again, and less where it ends with it', () => {
    const often: Chances = { ...never, lossesPerHour: 0.5 };
    const of = (again: boolean) => offersOf({ ...wanted, again }, offered, assumed, often)[0];
    // At half a loss an hour two hours are billed as 2 (1 − 1/e) h, or 2 (e − 1) h.
    expect(of(false)?.cost?.expected).toBe(Math.ceil(1_000_000 * (1 - Math.exp(-1))));
    expect(of(true)?.cost?.expected).toBe(Math.ceil(1_000_000 * (Math.E - 1)));
    expect(of(true)?.interrupted).toBeCloseTo(1 - Math.exp(-1));
    const hopeless = offersOf({ ...wanted, again: true }, offered, assumed, { ...never, lossesPerHour: 50 });
    expect(hopeless[0]?.cost?.expected).toBe(10_000_000);
  });

  it('expect what a run that is lost at a constant rate costs on average', () => {
    const next = draws(7);
    const rate = 0.3;
    let billed = 0;
    const runs = 40_000;
    for (let i = 0; i < runs; i++)
      for (;;) {
        const lostAt = -Math.log((next() + 0.5) / 2 ** 32) / rate;
        billed += Math.min(2, lostAt);
        if (lostAt >= 2) break;
      }
    const again = offersOf({ ...wanted, again: true }, offered, assumed, { ...never, lossesPerHour: rate });
    const mean = (billed / runs) * 500_000;
    expect(Math.abs((again[0]?.cost?.expected ?? 0) / mean - 1)).toBeLessThan(0.01);
  });
});

describe('the chances', () => {
  const ended = (over: Partial<Burst>) =>
    ({
      ...{ origin: 'decision', group: 'cpu', cause: undefined, exit: undefined },
      ...{ startedAt: undefined, endedAt: undefined },
      ...over,
    }) as Parameters<typeof countByGroup>[0] extends Iterable<infer T> ? T : never;
  const ran = (hours: number, lost = false) =>
    ended({
      ...{ startedAt: instant(0), endedAt: instant(hours * hour) },
      exit: { code: 0, lost },
    } as Partial<Burst>);
  const refused = ended({ cause: { kind: 'no_capacity', text: '' } });

  it('are assumed where nothing is known: one of 20, and one loss in 1,000 hours, 20 on spot', () => {
    expect(chancesOf(undefined, 'on-demand')).toEqual({
      ...{ noCapacity: 0.05, lossesPerHour: 0.001, asked: 0, hours: 0 },
    });
    expect(chancesOf(undefined, 'spot').lossesPerHour).toBe(0.05);
  });

  it('become what the site saw, by group', () => {
    const seen = [refused, refused, ran(10), ran(30, true), ran(0), { ...ran(500), group: 'gpu' }];
    const counted = countByGroup([...seen, ended({ cause: { kind: 'no_budget', text: '' } })]);
    expect(chancesOf(counted.get('cpu'), 'on-demand')).toEqual({
      ...{ noCapacity: 3 / 25, lossesPerHour: 2 / 1_040, asked: 5, hours: 40 },
    });
    expect(chancesOf(counted.get('gpu'), 'on-demand')).toMatchObject({ noCapacity: 1 / 21, hours: 500 });
  });

  it('a next run that nobody decided was not asked for, but what it lost counts', () => {
    const counted = countByGroup([{ ...ran(8, true), origin: 'requeue' }]);
    expect(chancesOf(counted.get('cpu'), 'spot')).toMatchObject({ asked: 0, lossesPerHour: 2 / 28 });
  });

  it('are chances, and a longer job is lost more often', () => {
    fc.assert(
      fc.property(fc.nat(500), fc.nat(500), fc.nat(100_000), fc.nat(100_000), (no, yes, a, b) => {
        const counted = countByGroup([
          ...Array.from({ length: no }, () => refused),
          ...Array.from({ length: yes }, (_, i) => ran(i % 7, i % 3 === 0)),
        ]);
        const chances = chancesOf(counted.get('cpu'), 'spot');
        expect(chances.noCapacity).toBeGreaterThan(0);
        expect(chances.noCapacity).toBeLessThan(1);
        const [short, long] = [Math.min(a, b), Math.max(a, b)].map((m) => lostWithin(chances, m * 60_000));
        expect(long).toBeGreaterThanOrEqual(short as number);
        expect(long).toBeLessThanOrEqual(1);
      }),
      { numRuns: 50 },
    );
  });
});
