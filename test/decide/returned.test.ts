import { describe, expect, it } from 'vitest';
import { gainFactor, returnedFor, returnedOf } from '../../src/decide/returned.ts';
import type { Burst, BurstState, Cause } from '../../src/domain/burst.ts';
import { instant, jobRef } from '../../src/domain/ids.ts';

const submitAt = instant(1_000);
const ended = (over: {
  ref?: string;
  state?: BurstState;
  kind?: Cause['kind'];
  at?: number;
  restarts?: number;
  origin?: Burst['origin'];
  granted?: boolean;
  again?: Burst['again'];
  submitAt?: number;
}): Burst =>
  ({
    ref: jobRef(over.ref ?? '7'),
    uid: 2001,
    origin: over.origin ?? 'decision',
    claim: { times: over.origin === 'adopted' ? 0 : 1 },
    grant: over.granted === true ? {} : undefined,
    again: over.again,
    restarts: over.restarts ?? 0,
    submitAt: instant(over.submitAt ?? submitAt),
    state: over.state ?? 'returned',
    cause: { kind: over.kind ?? 'no_capacity', text: 'why' },
    enteredAt: instant(over.at ?? 0),
  }) as unknown as Burst;

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

  it('one whose registry was away is left alone as long, and is not counted', () => {
    const away = ended({ kind: 'registry_silent', at: 30 });
    expect(returnedFor(seven, returnedOf([away, ended({ at: 20 })]))).toMatchObject({ at: 30, times: 1 });
    expect(returnedFor(seven, returnedOf([away, away, away]))).toMatchObject({ at: 30, times: 0 });
    const unsigned = ended({ kind: 'image_unsigned', at: 30 });
    expect(returnedFor(seven, returnedOf([unsigned]))).toMatchObject({ times: 1 });
  });

  it('a run in between begins anew, as does a new job with an old id', () => {
    const ran = ended({ state: 'settled', kind: 'job_ended', at: 25 });
    const found = returnedOf([ended({ at: 30 }), ran, ended({ at: 20 }), ended({ at: 10 })]);
    expect(returnedFor(seven, found)).toMatchObject({ at: 30, times: 1 });
    expect(returnedOf([ran, ended({ at: 20 })]).size).toBe(0);
    expect(returnedFor({ ...seven, submitAt: instant(9_000) }, found)).toBeUndefined();
    const older = ended({ submitAt: 500, at: 20 });
    expect(returnedFor(seven, returnedOf([ended({ at: 30 }), older]))).toMatchObject({ times: 1 });
  });

  it('what came home by a requeue is known by its restarts, and counted through them', () => {
    const unfed = { state: 'requeued', kind: 'data_failed' } as const;
    // As the engine leaves them: after each a burst that only took the job home.
    const home = { state: 'withdrawn', kind: 'owner_changed', origin: 'adopted' } as const;
    const found = returnedOf([
      ended({ ...home, at: 31, restarts: 2, submitAt: 3_000 }),
      ended({ ...unfed, at: 30, restarts: 1, submitAt: 2_000 }),
      ended({ ...home, at: 21, restarts: 1, submitAt: 2_000 }),
      ended({ ...unfed, at: 20 }),
    ]);
    const now = { ...seven, submitAt: instant(3_000), restarts: 2 };
    expect(returnedFor(now, found)).toMatchObject({ at: 30, times: 2 });
    expect(returnedFor({ ...now, restarts: 0 }, found)).toBeUndefined();
  });

  it.each(['pod_failed', 'no_capacity', 'quota'] as const)(
    'so is one requeued as of %s before it ran',
    (kind) => {
      const found = returnedOf([
        ended({ state: 'requeued', kind, at: 30, restarts: 1, submitAt: 2_000 }),
        ended({ state: 'requeued', kind, at: 20 }),
      ]);
      expect(returnedFor({ ...seven, submitAt: instant(3_000), restarts: 2 }, found)).toMatchObject({
        times: 2,
      });
    },
  );

  it('a requeue by its owner, or of what ran, is none', () => {
    expect(returnedOf([ended({ state: 'requeued', kind: 'requeued' })]).size).toBe(0);
    expect(returnedOf([ended({ state: 'requeued', kind: 'pod_failed', granted: true })]).size).toBe(0);
  });

  it('a person’s word ends what was counted until then', () => {
    const word = { by: 'olga', at: instant(25), why: '' };
    const found = returnedOf([ended({ at: 30 }), ended({ at: 20, again: word }), ended({ at: 10 })]);
    expect(returnedFor(seven, found)).toMatchObject({ at: 30, times: 1 });
    expect(returnedOf([ended({ at: 20, again: word }), ended({ at: 10 })]).size).toBe(0);
  });

  it('must gain twice as much to be burst again', () => {
    const found = returnedOf([ended({})]);
    expect([gainFactor(undefined), gainFactor(returnedFor(seven, found))]).toEqual([1, 2]);
    expect(gainFactor(returnedOf([ended({ state: 'withdrawn', kind: 'declined' })]).get(seven.ref))).toBe(1);
  });
});
