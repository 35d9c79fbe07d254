/** Warm spares are as many as the last two hours would nearly always have had a use for. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Arrival,
  machinesFor,
  mostlyAsked,
  partOf,
  roomIn,
  sparesWanted,
} from '../../src/decide/spares.ts';
import { instant } from '../../src/domain/ids.ts';

const minute = 60_000;
const at = instant(1_800_000_000_000);
const every = (minutes: number, machines: number, for_ = 120): readonly Arrival[] =>
  Array.from({ length: Math.floor(for_ / minutes) }, (_, i) => ({
    at: instant(at - i * minutes * minute),
    machines,
  }));

describe('spares', () => {
  it('are none where they are off, where nothing came, and for what comes once in a while', () => {
    expect(sparesWanted(every(1, 1), at, 0)).toBe(0);
    expect(sparesWanted([], at, 5)).toBe(0);
    expect(sparesWanted([{ at: instant(at - minute), machines: 4 }], at, 5)).toBe(0);
  });

  it('are what a steady stream asks for while a machine comes up, and never more than allowed', () => {
    expect(sparesWanted(every(1, 0.4), at, 9)).toBeCloseTo(2);
    expect(sparesWanted(every(1, 1), at, 9)).toBe(5);
    expect(sparesWanted(every(1, 1), at, 3)).toBe(3);
    expect(sparesWanted(every(1, 1 / 3), at, 9)).toBeCloseTo(5 / 3);
    expect(machinesFor(sparesWanted(every(1, 0.4), at, 9))).toBe(2);
    expect(machinesFor(sparesWanted(every(1, 1 / 3), at, 9) - 1)).toBe(1);
    expect(machinesFor(-0.5)).toBe(0);
  });

  it('forget what was more than two hours ago', () => {
    const old = every(1, 1).map((a) => ({ ...a, at: instant(a.at - 180 * minute) }));
    expect(sparesWanted(old, at, 9)).toBe(0);
  });

  it('never grow by less demand, and stay within what may be kept', () => {
    const arrival = fc.record({
      at: fc.integer({ min: 0, max: 150 * minute }).map((ago) => instant(at - ago)),
      machines: fc.double({ min: 0, max: 3, noNaN: true }),
    });
    fc.assert(
      fc.property(fc.array(arrival, { maxLength: 60 }), fc.integer({ min: 0, max: 6 }), (all, most) => {
        const wanted = sparesWanted(all, at, most);
        expect(wanted).toBeLessThanOrEqual(most);
        expect(sparesWanted(all.slice(1), at, most)).toBeLessThanOrEqual(wanted);
      }),
    );
  });
});

it('a job counts by what it asks most of', () => {
  const machine = { cpuMillis: 8_000, memoryBytes: 1_000, extended: { gpu: 4 } };
  expect(partOf({ cpuMillis: 2_000, memoryBytes: 500, extended: {} }, machine)).toBe(0.5);
  expect(partOf({ cpuMillis: 0, memoryBytes: 0, extended: { gpu: 3 } }, machine)).toBe(0.75);
  expect(partOf({ cpuMillis: 0, memoryBytes: 0, extended: { other: 1 } }, machine)).toBe(1);
});

it('what is free on a machine counts as so much of one, where it holds what nine of ten ask for at most', () => {
  const whole = { cpuMillis: 8_000, memoryBytes: 1_000, extended: {} };
  const of = (cpuMillis: number, memoryBytes = 0) => ({ cpuMillis, memoryBytes, extended: {} });
  const small = Array.from({ length: 9 }, () => of(1_000));
  expect(mostlyAsked([], whole)).toBeUndefined();
  expect(mostlyAsked([...small, of(64_000)], whole)).toEqual(of(1_000));
  expect(mostlyAsked([of(1_000), of(64_000)], whole)).toEqual(of(8_000));
  expect(roomIn(of(6_000, 500), whole, of(1_000))).toBe(0.5);
  expect(roomIn(of(6_000, 500), whole, of(7_000))).toBe(0);
  expect(roomIn(whole, whole, of(8_000))).toBe(1);
  expect(roomIn(of(16_000, 2_000), whole, undefined)).toBe(2);
});
