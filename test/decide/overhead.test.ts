/** What a machine costs besides its jobs is held before it is launched. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dueOf, type Guest, leftToPay, paidThere, paidUntil, tailMs } from '../../src/decide/overhead.ts';
import { instant } from '../../src/domain/ids.ts';

const [minute, hour] = [60_000, 3_600_000];
const at = instant(1_800_000_000_000);
const group = { idleMs: 5 * minute, leaseMs: 30 * minute };
/** A dollar an hour. */
const machine = { from: at, perHour: 1_000_000, relieved: 0 };
const waits = { bootsInMs: 10 * minute, startsInMs: 5 * minute, marginMs: 10 * minute };

const guest = (limitMs: number | 'unlimited', rate = 0, over: Partial<Guest> = {}): Guest =>
  ({
    saved: { timeLimitMs: limitMs },
    price: rate === 0 ? undefined : { held: 0, rates: { t: rate } },
    startedAt: undefined,
    endedAt: undefined,
    ...over,
  }) as Guest;

describe('what is due', () => {
  it('is boot, the longest planned end, idle time and the dead man’s half hour, less what the jobs hold', () => {
    const due = dueOf(machine, [guest(hour), guest(2 * hour, 250_000)], group, at, waits);
    // 15 + 120 + 10 minutes, and 35 after that; the second job holds a quarter of the machine for 130.
    const whole = (180 / 60) * 1_000_000;
    expect(due).toEqual({ until: at + 180 * minute, microUsd: whole - Math.ceil((130 / 60) * 250_000) });
  });

  it('is a minute at least, and never below nothing', () => {
    expect(dueOf(machine, [], { idleMs: 0, leaseMs: 0 }, at, { startsInMs: 0 })?.microUsd).toBe(
      Math.ceil(1_000_000 / 60),
    );
    const paid = { ...machine, relieved: 50_000_000 };
    expect(dueOf(paid, [guest(hour)], group, at, waits)?.microUsd).toBe(0);
  });

  it('cannot be told while a job on it has no end', () => {
    expect(dueOf(machine, [guest(hour), guest('unlimited')], group, at, waits)).toBeUndefined();
  });

  it('grows when a job ends before its limit and another goes on: the rest of the machine is nobody’s now', () => {
    const long = guest(3 * hour, 500_000, { startedAt: at });
    const short = guest(3 * hour, 500_000, { startedAt: at });
    const both = dueOf(machine, [long, short], group, at, waits)?.microUsd ?? 0;
    const later = instant(at + hour);
    const relieved = paidThere({ ...short, endedAt: later }, 't', later);
    const alone = dueOf({ ...machine, relieved }, [long], group, later, waits)?.microUsd ?? 0;
    expect(relieved).toBe(500_000);
    expect(alone - both).toBe(Math.ceil((130 / 60) * 500_000));
  });
});

describe('what is held', () => {
  const limits = fc.integer({ min: 1, max: 72 * 60 }).map((m) => m * minute);
  const someone = fc.record({
    limitMs: limits,
    rate: fc.integer({ min: 0, max: 400_000 }),
    /** Of its limit, in percent. */
    runs: fc.integer({ min: 0, max: 100 }),
  });
  const jobs = fc.array(someone, { maxLength: 3 });

  it('covers a machine whose jobs run as long as they may and whose gateway dies after', () => {
    fc.assert(
      fc.property(jobs, fc.integer({ min: 0, max: 10 }), (all, boot) => {
        const guests = all.map(({ limitMs, rate }) => guest(limitMs, rate));
        const due = dueOf(machine, guests, group, at, waits);
        const started = at + boot * minute;
        const ran = all.map(({ limitMs, rate, runs }) =>
          guest(limitMs, rate, {
            startedAt: instant(started),
            endedAt: instant(started + Math.floor((limitMs * runs) / 100)),
          }),
        );
        const last = Math.max(started, ...ran.map((g) => g.endedAt ?? 0));
        const end = instant(last + tailMs(group));
        const whole = leftToPay(machine.perHour, { ...machine, relieved: 0 }, end);
        // Each hold is given up as its job ends; until then it pays.
        const held =
          (due?.microUsd ?? 0) +
          all.reduce((sum, { limitMs, rate }) => sum + (rate * (limitMs + 10 * minute)) / hour, 0);
        expect(held + 2).toBeGreaterThanOrEqual(whole - 300);
      }),
    );
  });

  it('is enough until the moment that paidUntil tells, and not for a second more', () => {
    const hold = { ...machine, held: 500_000, rows: 1, on: [] };
    const until = paidUntil(hold, []);
    expect(until).toBe(at + 30 * minute);
    expect(leftToPay(machine.perHour, hold, until)).toBe(500_000);
    expect(leftToPay(machine.perHour, hold, instant(until + 1_000))).toBeGreaterThan(500_000);
  });
});
