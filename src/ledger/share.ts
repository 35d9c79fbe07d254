/**
 * What an instance cost, shared among what it was for. Pure. Money is whole micro-dollars, time milliseconds; in between shares are
 * whole numbers of a very small unit, so that nothing is rounded but once, at the end.
 */
import type { Purpose } from '../domain/cost.ts';
import { type BurstId, type Instant, instant } from '../domain/ids.ts';
import { type MicroUsd, periodStart } from '../domain/money.ts';
import type { Resources } from '../domain/resources.ts';

/** From the launch to the order to terminate it, or to now. */
export interface Life {
  readonly from: Instant;
  readonly until: Instant;
  /** When its node was Ready. An instance that never had a burst boots until then, and is idle after. */
  readonly readyAt: Instant | undefined;
  /** Micro-dollars an hour; undefined: not known. */
  readonly perHour: MicroUsd | undefined;
  /** What its pods may request. */
  readonly capacity: Resources;
}

/** A burst's pod on the instance; of several nodes, one for each. */
export interface Guest {
  readonly burst: BurstId;
  /** What the pod requests. */
  readonly needs: Resources;
  readonly from: Instant;
  readonly until: Instant;
}

export interface Share {
  readonly purpose: Purpose;
  /** Of purpose `job` alone. */
  readonly burst: BurstId | undefined;
  /** The first moment of its day, UTC. */
  readonly day: Instant;
  readonly from: Instant;
  readonly until: Instant;
  /** Milliseconds of the whole machine: all of them add up to what is billed. */
  readonly machineMs: number;
  /** All of them add up to `costOfLife`. Undefined: the price is not known. */
  readonly microUsd: MicroUsd | undefined;
}

/** EC2 bills by the second, and a minute at least. */
const leastSeconds = 60;
const dayMs = 86_400_000;
/** Parts of a millisecond in which shares are added up. */
const fine = 10n ** 15n;
/** Parts of a machine in which requests are weighed. */
const whole = 1_000_000_000;

export const billedSeconds = ({ from, until }: Pick<Life, 'from' | 'until'>): number =>
  Math.max(leastSeconds, Math.ceil((until - from) / 1000));

/** To the nearest micro-dollar. */
export function costOfLife(life: Life): MicroUsd | undefined {
  if (life.perHour === undefined) return undefined;
  return Number((BigInt(life.perHour) * BigInt(billedSeconds(life)) + 1800n) / 3600n);
}

/**
 * Each moment of its life is shared by the bursts whose pods are there then, by the resource of which each requests the largest part
 * (dominant share): they took the machine, so also what none of them requested. Moments without any are boot before the first burst and
 * idle after it. Sorted by day, then boot, jobs, idle.
 */
export function sharesOf(life: Life, guests: readonly Guest[]): readonly Share[] {
  const here = guests
    .map((g) => ({ ...g, from: later(g.from, life.from), until: sooner(g.until, life.until) }))
    .filter((g) => g.from < g.until);
  const parts = new Map<string, Part>();
  const first = here.length === 0 ? (life.readyAt ?? life.until) : Math.min(...here.map((g) => g.from));
  for (const [from, until] of slicesOf(life, here, first)) {
    const on = here.filter((g) => g.from <= from && g.until >= until);
    if (on.length === 0) add(parts, from < first ? 'boot' : 'idle', undefined, from, until, fine);
    const weights = on.map((g) => weightOf(g.needs, life.capacity));
    const sum = weights.reduce((a, b) => a + b, 0n);
    for (const [i, g] of on.entries())
      add(parts, 'job', g.burst, from, until, (fine * (weights[i] ?? 0n)) / sum);
  }
  // What was terminated at once was still bought.
  if (parts.size === 0) add(parts, 'boot', undefined, life.from, life.until, fine);
  return told(life, [...parts.values()]);
}

interface Part {
  readonly purpose: Purpose;
  readonly burst: BurstId | undefined;
  readonly day: Instant;
  readonly from: Instant;
  until: Instant;
  weight: bigint;
}

/** The stretches between two moments at which anything changes: a pod comes or goes, the boot ends, a day does. */
function slicesOf(
  life: Life,
  guests: readonly Guest[],
  first: number,
): readonly (readonly [Instant, Instant])[] {
  const at = new Set<number>([life.from, life.until, first]);
  for (const g of guests) at.add(g.from).add(g.until);
  for (let day = periodStart('day', life.from) + dayMs; day < life.until; day += dayMs) at.add(day);
  const moments = [...at].filter((t) => t >= life.from && t <= life.until).sort((a, b) => a - b);
  return moments.slice(1).map((until, i) => [instant(moments[i] ?? until), instant(until)] as const);
}

function add(
  parts: Map<string, Part>,
  purpose: Purpose,
  burst: BurstId | undefined,
  from: Instant,
  until: Instant,
  each: bigint,
): void {
  const day = periodStart('day', from);
  const key = `${day} ${purpose} ${burst ?? ''}`;
  const weight = each * BigInt(until - from);
  const part = parts.get(key);
  if (part === undefined) parts.set(key, { purpose, burst, day, from, until, weight });
  else {
    part.until = until;
    part.weight += weight;
  }
}

/** At least a little: who requests nothing that counts is there all the same. */
function weightOf(needs: Resources, capacity: Resources): bigint {
  const part = (need: number, of: number): number => (of > 0 ? Math.min(1, need / of) : need > 0 ? 1 : 0);
  const dominant = Math.max(
    part(needs.cpuMillis, capacity.cpuMillis),
    part(needs.memoryBytes, capacity.memoryBytes),
    ...Object.entries(needs.extended).map(([name, n]) => part(n, capacity.extended[name] ?? 0)),
  );
  return BigInt(Math.max(1, Math.round(dominant * whole)));
}

function told(life: Life, parts: readonly Part[]): readonly Share[] {
  const weights = parts.map((p) => p.weight);
  const cost = costOfLife(life);
  const money = cost === undefined ? undefined : split(cost, weights);
  const times = split(billedSeconds(life) * 1000, weights);
  const rank = { boot: 0, job: 1, idle: 2 } as const;
  return parts
    .map(({ weight: _, ...part }, i) => ({ ...part, machineMs: times[i] ?? 0, microUsd: money?.[i] }))
    .sort((a, b) => a.day - b.day || rank[a.purpose] - rank[b.purpose] || a.from - b.from);
}

/** By weight, in whole numbers that add up to the total: each rounded down, and what is left over goes to the largest. */
export function split(total: number, weights: readonly bigint[]): readonly number[] {
  const sum = weights.reduce((a, b) => a + b, 0n);
  if (weights.length === 0) return [];
  const shares = weights.map((w) => (sum === 0n ? 0 : Number((BigInt(total) * w) / sum)));
  const largest = weights.reduce((best, w, i) => (w > (weights[best] ?? 0n) ? i : best), 0);
  const left = total - shares.reduce((a, b) => a + b, 0);
  return shares.map((s, i) => (i === largest ? s + left : s));
}

const later = (a: Instant, b: Instant): Instant => (a > b ? a : b);
const sooner = (a: Instant, b: Instant): Instant => (a < b ? a : b);
