/** Spot: what is offered of a group, and what a run came to as prices went up and down. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { capsOf, type SpotSeen, spotFreshMs, standOf, stretchesOf } from '../../src/decide/spot.ts';
import { type Instant, instant } from '../../src/domain/ids.ts';
import type { SpotPrice } from '../../src/domain/instance.ts';
import type { NodeGroup } from '../../src/domain/policy.ts';
import { GiB, nothing } from '../../src/domain/resources.ts';

const minute = 60_000;
const group: NodeGroup = {
  ...{ name: 'cpu', launchTemplate: 't', types: ['s', 'l'], zones: ['a', 'b'], vcpuPerCpu: 1 },
  ...{ overhead: nothing, capacityType: 'on-demand', max: 4, idleMs: 1, joinTimeoutMs: 1, lostAfterMs: 1 },
  ...{ prices: { s: 100, l: 201 }, spot: { capPercent: 50 } },
  taint: { key: 'k', value: 'v', effect: 'NoSchedule' },
};
const types = ['s', 'l'].map((name) => ({ name, vcpus: 4, memoryBytes: GiB, gpus: 0 }));
const price = (type: string, zone: string, microUsd: number, from = 0): SpotPrice => ({
  ...{ type, zone, microUsd, from: instant(from) },
});
const seen = (...value: SpotPrice[]): SpotSeen => ({ ok: true, at: instant(10 * minute), value });
const at = instant(11 * minute);
const stand = (of: SpotSeen, avoided: { type: string; zone: string }[] = [], now = at) =>
  standOf(group, types, of, avoided, now);

describe('what can be had as spot', () => {
  it('costs at most so many percent of the price on demand', () => {
    expect(capsOf(group)).toEqual({ s: 50, l: 100 });
    expect(capsOf({ ...group, spot: undefined })).toEqual({});
    expect(capsOf({ ...group, prices: { l: 10 } })).toEqual({ l: 5 });
  });

  it('is each type at the dearest of its pools, by the newest price that holds', () => {
    const prices = seen(price('s', 'a', 30), price('s', 'b', 10), price('s', 'b', 40, 5 * minute));
    expect(stand(prices)).toMatchObject({
      kind: 'offered',
      prices: { s: { microUsd: 40, since: 5 * minute } },
      caps: { s: 50, l: 100 },
    });
    // The price of tomorrow does not count yet.
    expect(stand(seen(price('s', 'a', 30), price('s', 'a', 45, 20 * minute)))).toMatchObject({
      prices: { s: { microUsd: 30 } },
    });
  });

  it('leaves out what costs more than is paid, and what is left alone for now', () => {
    const prices = seen(price('s', 'a', 51), price('s', 'b', 20), price('l', 'a', 100));
    expect(stand(prices, [{ type: 's', zone: 'b' }])).toMatchObject({ prices: { l: { microUsd: 100 } } });
    const none = stand(prices, [
      { type: 's', zone: 'b' },
      { type: 'l', zone: 'a' },
    ]);
    expect(none).toEqual({
      kind: 'none',
      why: 'of its pools 1 cost more than is paid and 2 had nothing, or took something back, a moment ago',
    });
  });

  it('is nothing where prices are not known, and says why', () => {
    const why = (of: SpotSeen, now: Instant = at) => {
      const told = stand(of, [], now);
      return told.kind === 'none' ? told.why : undefined;
    };
    expect(why(undefined)).toContain('not read yet');
    expect(why({ ok: false, at, fault: 'throttled', text: 'RequestLimitExceeded' })).toContain(
      'not known: RequestLimitExceeded',
    );
    const old = seen(price('s', 'a', 30));
    expect(why(old, instant(10 * minute + spotFreshMs))).toBeUndefined();
    expect(why(old, instant(10 * minute + spotFreshMs + minute))).toContain('read 16 min ago');
    expect(why(seen())).toBe('none of its types is sold as spot');
  });
});

describe('what a run on spot came to', () => {
  const pool = { type: 's', zone: 'a' };

  it('is each price for as long as it held', () => {
    const history = [
      price('s', 'a', 10),
      price('s', 'b', 99, 5),
      price('s', 'a', 30, 150),
      price('s', 'a', 5, 400),
    ];
    expect(stretchesOf(history, pool, instant(100), instant(300))).toEqual([
      { microUsd: 10, ms: 50 },
      { microUsd: 30, ms: 150 },
    ]);
    expect(stretchesOf(history, { type: 's', zone: 'c' }, instant(100), instant(300))).toBeUndefined();
    expect(stretchesOf([price('s', 'a', 10, 101)], pool, instant(100), instant(300))).toBeUndefined();
  });

  it('adds up to the run, whatever changed and in whatever order it is told', () => {
    const change = fc.record({ at: fc.integer({ min: -50, max: 150 }), microUsd: fc.nat(99) });
    fc.assert(
      fc.property(fc.array(change), fc.nat(100), (changes, ms) => {
        const history = [price('s', 'a', 7, -100), ...changes.map((c) => price('s', 'a', c.microUsd, c.at))];
        const told = stretchesOf(history, pool, instant(0), instant(ms)) ?? [];
        expect(told.reduce((sum, s) => sum + s.ms, 0)).toBe(ms);
        const shuffled = stretchesOf([...history].reverse(), pool, instant(0), instant(ms)) ?? [];
        expect(shuffled.reduce((sum, s) => sum + s.ms, 0)).toBe(ms);
      }),
    );
  });
});
