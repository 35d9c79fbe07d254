/** What an instance must hold of the overhead budget, so that whatever happens is paid for. Pure. */
import type { Burst } from '../domain/burst.ts';
import { type Instant, instant } from '../domain/ids.ts';
import type { MicroUsd } from '../domain/money.ts';
import type { InstanceHold } from '../domain/overhead.ts';
import type { NodeGroup } from '../domain/policy.ts';
import { nodesOf } from '../domain/ranks.ts';
import { costOf, usualMarginMs } from './price.ts';

export type Guest = Pick<
  Burst,
  'price' | 'saved' | 'startedAt' | 'endedAt' | 'machine' | 'others' | 'data' | 'spent'
>;

/** As in user data where nothing is said [deploy/node/user-data]. */
export const usualLeaseMs = 30 * 60_000;
/** EC2 bills a minute at least. */
const leastMs = 60_000;

/** What comes after its last burst: its idle time and, should the gateway die then, its dead man's switch. */
export const tailMs = ({ idleMs, leaseMs = usualLeaseMs }: Pick<NodeGroup, 'idleMs' | 'leaseMs'>): number =>
  idleMs + leaseMs;

export interface Waits {
  /** The longest that it may still take to be Ready; nothing if undefined. */
  readonly bootsInMs?: number;
  /** The longest that a burst which has not begun may wait after that. */
  readonly startsInMs: number;
  /** For so long beyond its time limit a burst holds money. */
  readonly marginMs?: number | undefined;
}

export interface Due {
  /** The longest that it may be there. */
  readonly until: Instant;
  readonly microUsd: MicroUsd;
}

/**
 * From its launch to the latest end of what is on it, and the tail; less what those bursts hold themselves, and what earlier ones paid.
 * Undefined: one of them has no end.
 */
export function dueOf(
  { from, perHour, relieved }: Pick<InstanceHold, 'from' | 'perHour' | 'relieved'>,
  guests: readonly Guest[],
  group: Pick<NodeGroup, 'idleMs' | 'leaseMs'>,
  at: Instant,
  { bootsInMs = 0, startsInMs, marginMs = usualMarginMs }: Waits,
): Due | undefined {
  let end = at + bootsInMs;
  let held = 0;
  for (const guest of guests) {
    const { timeLimitMs } = guest.saved;
    if (timeLimitMs === 'unlimited') return undefined;
    end = Math.max(end, (guest.startedAt ?? at + bootsInMs + startsInMs) + timeLimitMs + marginMs);
    held += holdsThere(guest, timeLimitMs + marginMs);
  }
  const until = instant(end + tailMs(group));
  const whole = costOf(perHour, Math.max(leastMs, until - from));
  return { until, microUsd: Math.max(0, whole - relieved - held) };
}

/** Until when it is paid for by what it and its bursts hold, and what earlier ones paid. */
export function paidUntil(
  { from, perHour, relieved, held }: InstanceHold,
  guests: readonly Guest[],
  marginMs = usualMarginMs,
): Instant {
  const own = guests.reduce((sum, g) => {
    const { timeLimitMs } = g.saved;
    return timeLimitMs === 'unlimited' ? sum : sum + holdsThere(g, timeLimitMs + marginMs);
  }, 0);
  return instant(from + Math.floor(((held + relieved + own) * 3_600_000) / perHour));
}

/** Of what a burst holds, that of one of its nodes; what leaves the cloud pays for no machine. */
function holdsThere({ price }: Guest, ms: number): MicroUsd {
  return price === undefined ? 0 : costOf(Math.max(0, ...Object.values(price.rates)), ms);
}

/** What a burst that has ended paid for one of its nodes. */
export function paidThere(guest: Guest, type: string | undefined, at: Instant): MicroUsd {
  const { price, spent, startedAt, endedAt = at, data } = guest;
  if (spent !== undefined) return Math.floor(spent.microUsd / nodesOf(guest));
  if (price === undefined || startedAt === undefined) return 0;
  const rate =
    (type === undefined ? undefined : price.rates[type]) ?? Math.max(0, ...Object.values(price.rates));
  return costOf(rate, Math.max(0, endedAt - (data?.since ?? startedAt)));
}

/** What it came to besides its bursts; none where they paid for all of it. `perHour`: what it was bought at, with disk and address. */
export const leftToPay = (
  perHour: MicroUsd,
  { from, relieved }: Pick<InstanceHold, 'from' | 'relieved'>,
  until: Instant,
): MicroUsd =>
  Math.max(0, costOf(perHour, Math.max(leastMs, Math.ceil((until - from) / 1000) * 1000)) - relieved);
