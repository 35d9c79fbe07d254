/** How often a queue is looked at. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { askedAt, nextLookMs } from '../../src/decide/sight.ts';
import { instant } from '../../src/domain/ids.ts';
import type { Policy } from '../../src/domain/policy.ts';

const never = (): number => {
  throw new Error('asked for no reason');
};

describe('the next look', () => {
  it('comes in the beat that the site set, while looking takes a tenth of it', () => {
    expect(nextLookMs(30_000, 0, never)).toBe(30_000);
    expect(nextLookMs(30_000, 3_000, never)).toBe(30_000);
    expect(nextLookMs(300_000, 30_000, never)).toBe(300_000);
  });

  it('waits ten times as long as a slow one took, in no step with others', () => {
    expect(nextLookMs(30_000, 6_000, () => 0)).toBe(60_000);
    expect(nextLookMs(30_000, 6_000, () => 0.5)).toBe(63_000);
  });

  it('is no later than five minutes and a tenth, or the beat', () => {
    expect(nextLookMs(30_000, 600_000, () => 0)).toBe(300_000);
    expect(nextLookMs(900_000, 600_000, never)).toBe(900_000);
  });

  it('keeps to a short beat that a site asks for, however slow its Slurm is', () => {
    expect(nextLookMs(1_000, 20_000, never)).toBe(1_000);
    expect(nextLookMs(29_000, 20_000, never)).toBe(29_000);
  });

  it('property: never before the beat, nor sooner after a slower look', () => {
    const ms = fc.integer({ min: 0, max: 1_000_000 });
    fc.assert(
      fc.property(ms, ms, ms, fc.double({ min: 0, max: 0.999, noNaN: true }), (poll, took, more, random) => {
        const next = nextLookMs(poll, took, () => random);
        expect(next).toBeGreaterThanOrEqual(poll);
        expect(nextLookMs(poll, took + more, () => random)).toBeGreaterThanOrEqual(next);
      }),
    );
  });
});

describe('what is asked between two looks', () => {
  const at = instant(1_800_000_000_000);
  const setup = { pollMs: 30_000 };
  const policy = { staleAfterPolls: 5 } as Policy;
  const asked = (seconds: number, tookMs: number) =>
    (askedAt({ at, tookMs }, setup, policy, instant(at + 1_000 * seconds)) - at) / 1_000;

  it('is asked now, while a decision may be as old as the last one', () => {
    expect(asked(0, 100)).toBe(0);
    expect(asked(150, 100)).toBe(150);
  });

  it('is asked at the last look, while a slow Slurm is left alone until the next', () => {
    expect(asked(151, 20_000)).toBe(20);
    expect(asked(240, 20_000)).toBe(20);
    expect(asked(330, 60_000)).toBe(60);
  });

  it('is asked now, once that is late: nobody sees the queue', () => {
    expect(asked(400, 20_000)).toBe(400);
    expect(asked(600, 60_000)).toBe(600);
    expect(asked(190, 100)).toBe(190);
  });
});
