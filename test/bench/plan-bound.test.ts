/** That nothing can cost less than the bound of whole jobs says, and that it says no less than the one that cuts them. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { wholeAt, wholeBound } from '../../bench/plan-bound.ts';
import { type Fleet, type Ran, worthOf } from '../../bench/plan-cloud.ts';
import { podCapacity } from '../../src/decide/group.ts';
import { smallest } from '../../src/decide/pack.ts';
import type { InstanceType } from '../../src/domain/instance.ts';
import type { NodeGroup } from '../../src/domain/policy.ts';
import { GiB, plus, type Resources } from '../../src/domain/resources.ts';

const minute = 60_000;
const types: readonly InstanceType[] = [2, 4, 8].flatMap((vcpus) =>
  [2, 8].map((gib) => ({ name: `${gib}.${vcpus}`, vcpus, memoryBytes: vcpus * gib * GiB, gpus: 0 })),
);
const prices = Object.fromEntries(
  types.map((t) => [t.name, t.vcpus * (t.name.startsWith('2') ? 50_000 : 80_000)]),
);
const group: NodeGroup = {
  ...{ name: 'cpu', launchTemplate: 't', types: types.map((t) => t.name), zones: ['a'], vcpuPerCpu: 1 },
  overhead: { cpuMillis: 100, memoryBytes: GiB / 2, extended: {} },
  ...{ capacityType: 'on-demand', max: 100, idleMs: minute, joinTimeoutMs: 1, lostAfterMs: 1, prices },
  taint: { key: 'k', value: 'v', effect: 'NoSchedule' },
};
const fleet: Fleet = { offered: { group, types }, bootMs: minute, everyMs: 30_000 };
const shapes = types.map((t) => ({
  ...{ name: t.name, capacity: podCapacity(t, group), perHour: prices[t.name] ?? 0 },
}));
const need = (cpus: number, gib: number): Resources => ({
  ...{ cpuMillis: cpus * 940, memoryBytes: gib * GiB, extended: {} },
});

/** The price of the cheapest machines that hold them all, by all ways to share them out. */
function cheapest(needs: readonly Resources[], bins: readonly Resources[] = []): number {
  const [first, ...rest] = needs;
  if (first === undefined)
    return bins.reduce((sum, b) => sum + (smallest(b, shapes)?.perHour ?? Number.POSITIVE_INFINITY), 0);
  return Math.min(
    cheapest(rest, [...bins, first]),
    ...bins.map((b, i) => cheapest(rest, bins.with(i, plus(b, first)))),
  );
}

describe('the bound of whole jobs', () => {
  it('has a job that is alone on the machine that holds it, from its boot to the end of its idle time', () => {
    const ran: Ran[] = [{ needs: need(5, 5), from: 10 * minute, until: 40 * minute }];
    expect(wholeBound(ran, fleet)).toBeCloseTo((8 * 50_000 * 32) / 60, 0);
  });

  it('has a machine once that two need soon after each other, and twice where it goes between them', () => {
    const twice = (gap: number): number =>
      wholeBound(
        [0, 30 + gap].map((m) => ({ needs: need(5, 5), from: m * minute, until: (m + 30) * minute })),
        fleet,
      );
    expect(twice(1)).toBeCloseTo((8 * 50_000 * 63) / 60, 0);
    expect(twice(100)).toBeCloseTo((8 * 50_000 * 64) / 60, 0);
  });

  it('property: no machines that hold them all cost less, and it is never below the bound that cuts jobs', () => {
    const some = fc.array(fc.tuple(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 50 })), {
      ...{ minLength: 1, maxLength: 6 },
    });
    fc.assert(
      fc.property(some, (of) => {
        const needs = of.map(([cpus, gib]) => need(cpus, gib));
        const least = wholeAt(
          needs.map((n) => ({ needs: n, count: 1 })),
          shapes,
        );
        const exact = cheapest(needs);
        expect(least).toBeLessThanOrEqual(exact * (1 + 1e-6));
        // It ends as soon as no more than that can be gained.
        expect(least).toBeGreaterThanOrEqual(worthOf(fleet)(needs.reduce(plus)) * (1 - 0.0021));
      }),
      { numRuns: 200 },
    );
  });
});
