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
