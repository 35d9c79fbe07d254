/** How many machines are kept warm, by what asked for machines lately. Pure. */
import type { Instant } from '../domain/ids.ts';
import { fits, type Resources } from '../domain/resources.ts';
import { least } from '../domain/room.ts';

/** How far back is looked. */
export const lookbackMs = 2 * 3_600_000;
/** About what a machine takes to come up: so long a spare stands in for new ones. */
const windowMs = 5 * 60_000;
const stepMs = 60_000;
/** In so many of the windows the spares would have been enough. */
const enough = 0.9;

/** A burst that began: how much of one machine, or how many, it asked for. */
export interface Arrival {
  readonly at: Instant;
  readonly machines: number;
}

/**
 * What began within the time that a machine takes to come up, in nine of ten such stretches of the last two hours. So what comes once
 * in a while keeps nothing, and what comes all the time finds room. In machines and parts of them, at most `most`.
 */
export function sparesWanted(arrivals: readonly Arrival[], at: Instant, most: number): number {
  if (most === 0) return 0;
  const sums: number[] = [];
  for (let end = at; end - windowMs >= at - lookbackMs; end = (end - stepMs) as Instant)
    sums.push(
      arrivals.reduce((sum, a) => (a.at > end - windowMs && a.at <= end ? sum + a.machines : sum), 0),
    );
  sums.sort((a, b) => a - b);
  const wanted = sums[Math.ceil(enough * sums.length) - 1] ?? 0;
  return Math.min(most, Math.max(0, wanted));
}

/** Thirds of a machine add up to a whole one. */
export const machinesFor = (room: number): number => Math.max(0, Math.ceil(room - 1e-9));

/** What nine of ten of these need at most, by their parts of a machine, or all of the machine. Undefined: there are none. */
export function mostlyAsked(needs: readonly Resources[], capacity: Resources): Resources | undefined {
  const byPart = [...needs].sort((a, b) => partOf(a, capacity) - partOf(b, capacity));
  const most = byPart[Math.ceil(enough * byPart.length) - 1];
  return most && least(most, capacity);
}

/** How many machines what is free on one amounts to; nothing where it does not hold what is mostly asked for. */
export function roomIn(free: Resources, capacity: Resources, asked: Resources | undefined): number {
  if (asked !== undefined && !fits(asked, free)) return 0;
  const share = (left: number, of: number): number => (of > 0 ? left / of : Number.POSITIVE_INFINITY);
  const room = Math.min(
    share(free.cpuMillis, capacity.cpuMillis),
    share(free.memoryBytes, capacity.memoryBytes),
    ...Object.entries(capacity.extended).map(([name, n]) => share(free.extended[name] ?? 0, n)),
  );
  return Number.isFinite(room) ? Math.max(0, room) : 0;
}

/** How much of a machine one of its nodes asks for: of what it asks most of. */
export function partOf(needs: Resources, capacity: Resources): number {
  const part = (need: number, of: number): number => (of > 0 ? Math.min(1, need / of) : need > 0 ? 1 : 0);
  return Math.max(
    part(needs.cpuMillis, capacity.cpuMillis),
    part(needs.memoryBytes, capacity.memoryBytes),
    ...Object.entries(needs.extended).map(([name, n]) => part(n, capacity.extended[name] ?? 0)),
  );
}
