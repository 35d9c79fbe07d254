import { describe, expect, it } from 'vitest';
import { gainFactor, returnedFor, returnedOf } from '../../src/decide/returned.ts';
import type { Burst, BurstState, Cause } from '../../src/domain/burst.ts';
import { instant, type JobKey, jobRef } from '../../src/domain/ids.ts';

const submitAt = instant(1_000);
const ended = (over: {
  ref?: string;
  state?: BurstState;
  kind?: Cause['kind'];
  at?: number;
  job?: number;
  restarts?: number;
  submitAt?: number;
}): Burst =>
  ({
    ref: jobRef(over.ref ?? '7'),
    job: `lab/${over.ref ?? '7'}/${over.job ?? 0}` as JobKey,
    restarts: over.restarts ?? 0,
    submitAt: instant(over.submitAt ?? submitAt),
    state: over.state ?? 'returned',
    cause: { kind: over.kind ?? 'no_capacity', text: 'why' },
    enteredAt: instant(over.at ?? 0),
  }) as Burst;

const seven = { ref: jobRef('7'), submitAt, restarts: 0 };

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
    const ran = ended({ state: 'settled', kind: 'job_ended', at: 25 });
    const found = returnedOf([ended({ at: 30 }), ran, ended({ at: 20 }), ended({ at: 10 })]);
    expect(returnedFor(seven, found)).toMatchObject({ at: 30, times: 1 });
    expect(returnedOf([ran, ended({ at: 20 })]).size).toBe(0);
    expect(returnedFor({ ...seven, submitAt: instant(9_000) }, found)).toBeUndefined();
    expect(returnedFor(seven, returnedOf([ended({ at: 30 }), ended({ job: 1, at: 20 })]))).toMatchObject({
      times: 1,
    });
  });

  it('what came home by a requeue, as its data could not be carried, is known by its restarts', () => {
    const unfed = { state: 'requeued', kind: 'data_failed' } as const;
    const found = returnedOf([
      ended({ ...unfed, at: 30, restarts: 1, submitAt: 2_000 }),
      ended({ ...unfed, at: 20 }),
    ]);
    const now = { ...seven, submitAt: instant(3_000), restarts: 2 };
    expect(returnedFor(now, found)).toMatchObject({ at: 30, times: 2 });
    expect(returnedFor({ ...now, restarts: 0 }, found)).toBeUndefined();
  });

  it('must gain twice as much to be burst again', () => {
    const found = returnedOf([ended({})]);
    expect([gainFactor(undefined), gainFactor(returnedFor(seven, found))]).toEqual([1, 2]);
    expect(gainFactor(returnedOf([ended({ state: 'withdrawn', kind: 'declined' })]).get(seven.ref))).toBe(1);
  });
});
