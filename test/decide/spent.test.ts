/** Which bursts a hard budget holds when it is less than was held for, and which it does not. */
import { describe, expect, it } from 'vitest';
import { spentBy } from '../../src/decide/price.ts';
import { notHeldBy } from '../../src/decide/spent.ts';
import type { Burst } from '../../src/domain/burst.ts';
import { burstId, instant } from '../../src/domain/ids.ts';
import { at, burst } from '../burst/fixtures.ts';

const hour = 3_600_000;
/** Holds ten and costs two an hour; the letters come in the order in which they were made. */
const one = (id: string, over: Partial<Burst> = {}): Burst =>
  burst({
    id: burstId(id),
    createdAt: instant(at + id.charCodeAt(0)),
    state: 'running',
    price: { held: 10, rates: { m: 2 } },
    machine: 'm',
    ...over,
  });
const since = (hours: number) => ({ startedAt: instant(at - hours * hour) });
const over = (usd: number, spent: number, ...live: Burst[]) =>
  notHeldBy({ account: 'physics', microUsd: usd, per: 'total', hard: true }, spent, live, at);

describe('a hard budget', () => {
  it('that holds what is held for holds all', () => {
    expect(over(30, 10, one('a'), one('b'))).toEqual([]);
  });

  it('that was lowered keeps the oldest, as far as it goes', () => {
    expect(over(29, 10, one('b'), one('a'))).toEqual(['b']);
    expect(over(19, 10, one('a'), one('b'))).toEqual(['a', 'b']);
  });

  it('counts what each has cost already, which stopping it does not give back', () => {
    // b has cost 4 by now: with the whole of a that is 14.
    expect(over(14, 0, one('a'), one('b', since(2)))).toEqual(['b']);
    // Without room for the whole of a, there is still room for the rest of b.
    expect(over(13, 0, one('a'), one('b', since(2)))).toEqual(['a']);
  });

  it('is passed by one that ran for longer than was held for', () => {
    expect(over(20, 0, one('a', since(6)), one('b'))).toEqual(['b']);
    expect(over(11, 0, one('a', since(6)))).toEqual(['a']);
  });

  it('counts every node of a job, each by the machine that it ran on', () => {
    const places = [1, 2].map((rank) => ({ rank, instance: undefined, pod: undefined, machine: 'n' }));
    const price = { held: 40, rates: { m: 2, n: 3 } };
    const wide = one('a', { ...since(2), others: places, price });
    expect(spentBy(wide, at)).toBe(2 * (2 + 3 + 3));
    // Whose machine nobody noted is reckoned as the dearest.
    const bare = places.map(({ machine: _, ...p }) => p);
    expect(spentBy({ ...wide, others: bare, machine: undefined }, at)).toBe(2 * (3 + 3 + 3));
  });

  it('does not look at other accounts, nor at what holds no money', () => {
    expect(over(1, 0, one('a', { account: 'biology' }), one('b', { price: undefined }))).toEqual([]);
  });
});
