/** What carrying a job's data takes, learned from what this site carried. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Carried, carryingOf, readyWith, transfersOf } from '../../src/decide/carry.ts';
import { spentBy } from '../../src/decide/price.ts';
import { assumed, readyByGroup, readyOf } from '../../src/decide/ready.ts';
import type { BurstData } from '../../src/domain/data.ts';
import { instant } from '../../src/domain/ids.ts';
import { GiB } from '../../src/domain/resources.ts';

const minute = 60_000;
// A GiB takes a minute here and half of that in the cloud.
const rates = { hereBytesPerSecond: GiB / 60, cloudBytesPerSecond: GiB / 30, egressMicroUsdPerGiB: 0 };
const alices = { user: 'alice', name: 'fold' };

/** Ended, having carried so many GiB in so many minutes. */
function carried(
  [inGiB, inMinutes]: readonly [number, number],
  [outGiB, outMinutes]: readonly [number, number] = [0, 0],
  of: Partial<Carried> = {},
): Carried {
  const data: BurstData = {
    paths: [{ way: 'in', path: '/data/set' }],
    ...{ since: instant(0), there: instant(inMinutes * minute), inBytes: inGiB * GiB },
    ...{ resultBytes: outGiB * GiB, homeAt: instant((100 + outMinutes) * minute) },
  };
  return {
    ...alices,
    ...{ startedAt: instant(inMinutes * minute), endedAt: instant(100 * minute), data, ...of },
  };
}
const nothing: Carried = { ...carried([0, 0]), data: undefined };
const times = <T>(n: number, of: T): T[] => Array.from({ length: n }, () => of);

describe('what carrying takes', () => {
  it('is what the configured bandwidths make of the script’s sizes, while the site has carried nothing', () => {
    const carrying = carryingOf(alices, { inBytes: 4 * GiB, outBytes: GiB }, transfersOf([], rates));
    expect(carrying).toMatchObject({ from: 'script', in: { bytes: 4 * GiB, measured: 0 } });
    // Four minutes up, two down; a minute home and half of one out of the pod. Others may carry at the same time.
    expect(carrying?.in.p50).toBe(6 * minute);
    expect(carrying?.out.p50).toBe(1.5 * minute);
    expect(carrying?.in.p90).toBeGreaterThan(6 * minute);
  });

  it('is what the site’s own transfers took, each way by itself', () => {
    // Twice as slow as configured on the way in, twice as fast on the way home.
    const ended = times(12, carried([2, 6], [4, 3]));
    const carrying = carryingOf(
      { user: 'bob', name: 'x' },
      { inBytes: GiB, outBytes: GiB },
      transfersOf(ended, rates),
    );
    expect(carrying?.in).toMatchObject({ p50: 3 * minute, p90: 3 * minute, measured: 12 });
    expect(carrying?.out).toMatchObject({ p50: 0.75 * minute, measured: 12 });
  });

  it('is not learned from what is too small to tell of a bandwidth', () => {
    const transfers = transfersOf(times(30, carried([0.1, 60])), rates);
    expect(transfers.in).toEqual([]);
  });

  it('is guessed for a job whose script nobody has read from what earlier ones of its name carried', () => {
    const transfers = transfersOf([carried([1, 1.5]), carried([3, 4.5]), carried([8, 12])], rates);
    const carrying = carryingOf(alices, undefined, transfers);
    expect(carrying).toMatchObject({ from: 'earlier', jobs: 3, in: { bytes: 3 * GiB, measured: 3 } });
    expect(carrying?.in.p90).toBeGreaterThan(10 * minute);
    expect(carryingOf({ user: 'bob', name: 'fold' }, undefined, transfers)).toBeUndefined();
    expect(carryingOf({ user: 'alice', name: 'other' }, undefined, transfers)).toBeUndefined();
  });

  it('counts those of its name that carried nothing, and its newest only', () => {
    const mixed = transfersOf([nothing, nothing, carried([8, 12])], rates);
    expect(carryingOf(alices, undefined, mixed)).toMatchObject({ jobs: 3, in: { bytes: 0 } });
    const past = transfersOf([...times(5, nothing), carried([8, 12])], rates);
    expect(carryingOf(alices, undefined, past)).toBeUndefined();
  });

  it('is nothing for a job whose script names no data, whatever its name carried before', () => {
    const transfers = transfersOf(times(3, carried([8, 12])), rates);
    expect(carryingOf(alices, { inBytes: 0, outBytes: 0 }, transfers)).toBeUndefined();
  });

  it('tells nothing of a run that never began', () => {
    expect(transfersOf([carried([8, 12], [0, 0], { startedAt: undefined })], rates).earlier.size).toBe(0);
  });
});

describe('when a job with data would run', () => {
  const carrying = carryingOf(alices, { inBytes: 4 * GiB, outBytes: GiB }, transfersOf([], rates));

  it('is later by what carrying takes, and says so', () => {
    const ready = readyWith(readyOf([minute]), carrying);
    expect(ready.dataMs).toBe(6 * minute);
    expect(ready.p50).toBeGreaterThanOrEqual(assumed.p50 + 5 * minute);
    expect(readyWith(assumed, undefined)).toBe(assumed);
  });

  it('is as late where only results are carried, which come after it', () => {
    const out = carryingOf(alices, { inBytes: 0, outBytes: GiB }, transfersOf([], rates));
    expect(readyWith(assumed, out)).toBe(assumed);
  });

  it('never comes before its machine does, whatever was measured', () => {
    const ms = fc.array(fc.integer({ min: 0, max: 1e7 }), { minLength: 1, maxLength: 30 });
    const took = fc.array(fc.integer({ min: 0, max: 600 }), { maxLength: 30 });
    fc.assert(
      fc.property(ms, took, fc.integer({ min: 1, max: 100 }), (measured, minutes, size) => {
        const transfers = transfersOf(
          minutes.map((m) => carried([1, m])),
          rates,
        );
        const ready = readyOf(measured);
        const with_ = readyWith(ready, carryingOf(alices, { inBytes: size * GiB, outBytes: 0 }, transfers));
        expect(with_.p50).toBeGreaterThanOrEqual(ready.p50);
        expect(with_.p90).toBeGreaterThanOrEqual(with_.p50);
        expect([...with_.samples]).toEqual([...with_.samples].sort((a, b) => a - b));
      }),
    );
  });

  it('is learned of a node group without what its jobs’ own data took', () => {
    const { data } = carried([8, 12]);
    const burst = {
      origin: 'decision',
      group: 'cpu',
      createdAt: instant(-minute),
      startedAt: instant(13 * minute),
      data,
    } as const;
    expect(readyByGroup(times(20, burst)).get('cpu')?.p50).toBe(2 * minute);
  });
});

it('a burst costs its machine from when its stand-in calls until its results are here', () => {
  const { data, startedAt, endedAt } = carried([2, 6], [4, 20]);
  const burst = { startedAt, endedAt, data, price: { held: 0, rates: { m: 6_000_000 } }, machine: 'm' };
  expect(spentBy(burst, 0)).toBe(12_000_000);
});
