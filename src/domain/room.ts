import { claimOf } from './devices.ts';
import { fits, type Resources } from './resources.ts';

/** Of both at most; what a claim allocates no node counts, so there the promise stands. */
export function least(promised: Resources, room: Resources): Resources {
  return {
    cpuMillis: Math.min(promised.cpuMillis, room.cpuMillis),
    memoryBytes: Math.min(promised.memoryBytes, room.memoryBytes),
    extended: Object.fromEntries(
      Object.entries(promised.extended).map(([name, n]) => [
        name,
        claimOf(name) === undefined ? Math.min(n, room.extended[name] ?? 0) : n,
      ]),
    ),
  };
}

/** Whether a node with so much left holds this, as far as nodes count it. */
export function holds(room: Resources, needs: Resources): boolean {
  const counted = Object.entries(needs.extended).filter(([name]) => claimOf(name) === undefined);
  return fits({ ...needs, extended: Object.fromEntries(counted) }, room);
}
