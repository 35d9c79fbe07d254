/** Which offer is taken, and what is said of the others. */
import { expect, it } from 'vitest';
import { type Candidate, choose, type Soon } from '../../src/decide/choose.ts';
import type { Offer } from '../../src/decide/offers.ts';
import type { OfferedGroup } from '../../src/decide/rule.ts';

const minute = 60_000;
const soon: Soon = { startsHereMs: undefined, deadlineMs: undefined };
const group = (name: string) => ({ group: { name }, types: [] }) as unknown as OfferedGroup;
const [cpu, big] = [group('cpu'), group('big')];
const offer = (expected: number | undefined, startMs = minute, endMs = 60 * minute): Offer => ({
  ...{ group: 'cpu', type: 'm', zones: ['a'], capacityType: 'on-demand', noCapacity: 0, interrupted: 0 },
  cost: expected === undefined ? undefined : { perHour: 1, expected, worst: 9 },
  ...{ readyMs: { p50: startMs, p90: startMs }, expectedStartMs: startMs, expectedEndMs: endMs },
});
const on = (offered: OfferedGroup, ...offers: Offer[]): Candidate => ({
  ...{ offered, capacityType: 'on-demand', offers },
});
const spot = (offered: OfferedGroup, ...offers: Offer[]): Candidate => ({
  ...{ offered, capacityType: 'spot', offers },
});
const taken = (candidates: Candidate[], how = soon) => {
  const choice = choose(candidates, how);
  return choice && `${choice.taken.offered.group.name} ${choice.taken.capacityType}`;
};

it('the one that is expected to cost least is taken, of one group or of several', () => {
  expect(taken([on(cpu, offer(1_000_000)), spot(cpu, offer(400_000))])).toBe('cpu spot');
  // Losses make the cheaper hour the dearer job.
  expect(taken([on(cpu, offer(1_000_000)), spot(cpu, offer(1_300_000))])).toBe('cpu on-demand');
  expect(taken([on(big, offer(2_000_000)), on(cpu, offer(1_000_000))])).toBe('cpu on-demand');
  expect(taken([])).toBeUndefined();
});

it('of two that cost the same the one that starts sooner, then the first', () => {
  expect(taken([on(big, offer(1_000_000, 5 * minute)), on(cpu, offer(1_005_000))])).toBe('cpu on-demand');
  expect(taken([on(big, offer(1_000_000)), on(cpu, offer(1_000_000))])).toBe('big on-demand');
});

it('one that is later than here, or misses the deadline, only where all are', () => {
  const cheap = spot(cpu, offer(1, 30 * minute, 90 * minute));
  const dear = on(cpu, offer(1_000_000));
  expect(taken([dear, cheap], { ...soon, startsHereMs: 20 * minute })).toBe('cpu on-demand');
  expect(taken([dear, cheap], { ...soon, deadlineMs: 80 * minute })).toBe('cpu on-demand');
  expect(taken([dear, cheap], { ...soon, startsHereMs: 1 })).toBe('cpu spot');
});

it('without a price nothing is compared across groups: the first stays', () => {
  expect(taken([on(cpu, offer(undefined)), on(big, offer(1))])).toBe('cpu on-demand');
  expect(taken([on(cpu, offer(10_000_000)), spot(cpu, offer(1)), on(big, offer(undefined))])).toBe(
    'cpu spot',
  );
});

it('each other one is told, with why', () => {
  const choice = choose(
    [
      on(cpu, offer(1_000_000)),
      { offered: cpu, capacityType: 'spot', offers: [], barred: 'spot prices are not known: 503' },
      on(big, offer(3_000_000)),
    ],
    soon,
  );
  expect(choice?.passedOver).toEqual([
    { group: 'cpu', capacity: 'spot', why: 'spot prices are not known: 503' },
    {
      ...{ group: 'big', capacity: 'on-demand', type: 'm', expectedMicroUsd: 3_000_000 },
      why: 'expected to cost 3.00 USD, 2.00 USD more',
    },
  ]);
});
