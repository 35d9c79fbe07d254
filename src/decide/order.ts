import type { Job } from '../domain/job.ts';

/** Priorities are 32 bits wide in Slurm; so many places fit beside one into a double's 53. */
const places = 2 ** 21;
const whole32 = (n: number): boolean => Number.isInteger(n) && n >= 0 && n < 2 ** 32;

const placeOf = (key: number): number => key - Math.floor(key / places) * places;

/**
 * As Slurm orders those that wait, by their places in the list: priority, then submit time, then id. Numbers are sorted natively, so a hundred
 * thousand jobs are sorted by their priority and their place first, and compared as jobs only where priorities are alike.
 */
export function slurmOrder(jobs: readonly Job[]): Uint32Array {
  const compare = (at: number, than: number): number => {
    const a = jobs[at] as Job;
    const b = jobs[than] as Job;
    return b.priority - a.priority || a.submitAt - b.submitAt || a.id - b.id;
  };
  if (jobs.length > places || jobs.some((j) => !whole32(j.priority)))
    return Uint32Array.from(jobs, (_, at) => at).sort(compare);
  const keys = new Float64Array(jobs.length);
  for (let at = 0; at < keys.length; at++) keys[at] = -(jobs[at] as Job).priority * places + at;
  keys.sort();
  const order = new Uint32Array(keys.length);
  for (let i = 0; i < keys.length; i++) order[i] = placeOf(keys[i] as number);
  for (let from = 0, to = 1; from < order.length; from = to++) {
    const { priority } = jobs[order[from] as number] as Job;
    while (to < order.length && Math.ceil(-(keys[to] as number) / places) === priority) to++;
    if (to - from > 1) order.subarray(from, to).sort(compare);
  }
  return order;
}

/**
 * Who goes first where not all can: of each account the most waiting saved for each core-hour, and of the accounts the one that has had the least of
 * the cloud so far, so that nobody eats a day's budget alone (max-min fairness by progressive filling; Bertsekas and Gallager 1992, 6.5.2).
 */
export interface Candidate {
  readonly account: string;
  /** More goes first; of equals, who stands first in the list. */
  readonly value: number;
  /** What it takes at most, in any unit that all share; never negative. */
  readonly takes: number;
}

/** `had`: what the bursts that are alive take for each account, in the same unit. */
export function fairOrder<T extends Candidate>(
  candidates: readonly T[],
  had: ReadonlyMap<string, number>,
): readonly T[] {
  const lines = new Map<string, T[]>();
  for (const c of candidates) {
    const line = lines.get(c.account);
    if (line === undefined) lines.set(c.account, [c]);
    else line.push(c);
  }
  const accounts = [...lines].map(([account, line]) => ({
    // Stable, and infinite values are equals.
    line: line.sort((a, b) => (a.value === b.value ? 0 : b.value - a.value)),
    at: 0,
    taken: had.get(account) ?? 0,
  }));
  const order: T[] = [];
  while (order.length < candidates.length) {
    let least: (typeof accounts)[number] | undefined;
    for (const a of accounts)
      if (a.at < a.line.length && (least === undefined || a.taken < least.taken)) least = a;
    if (least === undefined) break;
    const next = least.line[least.at++] as T;
    least.taken += next.takes;
    order.push(next);
  }
  return order;
}
