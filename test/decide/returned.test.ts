import { describe, expect, it } from 'vitest';
import { gainFactor, returnedFor, returnedOf } from '../../src/decide/returned.ts';
import type { Burst, BurstState, Cause } from '../../src/domain/burst.ts';
import { type AttemptKey, instant, jobRef } from '../../src/domain/ids.ts';

const submitAt = instant(1_000);
const ended = (over: {
  ref?: string;
  state?: BurstState;
  kind?: Cause['kind'];
  at?: number;
  run?: number;
  submitAt?: number;
}): Burst =>
  ({
    ref: jobRef(over.ref ?? '7'),
    attempt: `lab/${over.ref ?? '7'}/${over.run ?? 0}` as AttemptKey,
    submitAt: instant(over.submitAt ?? submitAt),
    state: over.state ?? 'returned',
    cause: { kind: over.kind ?? 'no_capacity', text: 'why' },
    enteredAt: instant(over.at ?? 0),
  }) as Burst;

const seven = { ref: jobRef('7'), submitAt };

describe('jobs that came back', () => {
  it('are counted, with the last time', () => {
    const found = returnedOf([
      ended({ at: 30, kind: 'quota' }),
      ended({ at: 20 }),
      ended({ at: 10 }),
      ended({ ref: '8', at: 40 }),
    ]);
    expect(returnedFor(seven, found)).toMatchObject({ at: 30, times: 3 });
    expect(returnedFor({ ...seven, ref: jobRef('8') }, found)).toMatchObject({ at: 40, times: 1 });
    expect(returnedFor({ ...seven, ref: jobRef('9') }, found)).toBeUndefined();
  });

  it('are none that ended otherwise, nor those that a stop gave back', () => {
    const others = [
      ended({ state: 'settled' }),
      ended({ state: 'started_onprem' }),
      ended({ kind: 'stopped' }),
    ];
    expect(returnedOf(others).size).toBe(0);
  });

  it.each(['declined', 'expired'] as const)(
    'a quote that was %s has its time, and is not counted',
    (kind) => {
      const found = returnedOf([ended({ state: 'withdrawn', kind, at: 30 }), ended({ at: 20 })]);
      expect(returnedFor(seven, found)).toMatchObject({ at: 30, times: 1 });
    },
  );

  it('a run in between begins anew, as does a new job with an old id', () => {
    const found = returnedOf([
      ended({ run: 1, at: 30 }),
      ended({ run: 0, at: 20 }),
      ended({ run: 0, at: 10 }),
    ]);
    expect(returnedFor(seven, found)).toMatchObject({ times: 1 });
    expect(returnedFor({ ...seven, submitAt: instant(9_000) }, found)).toBeUndefined();
  });

  it('must gain twice as much to be burst again', () => {
    const found = returnedOf([ended({})]);
    expect([gainFactor(undefined), gainFactor(returnedFor(seven, found))]).toEqual([1, 2]);
    expect(gainFactor(returnedOf([ended({ state: 'withdrawn', kind: 'declined' })]).get(seven.ref))).toBe(1);
  });
});
