import type { LedgerView } from '../../../api/portal-schemas.ts';
import { csv, ms } from '../../format.ts';

export type CostKey = 'account' | 'user' | 'group' | 'cluster';

/** As a plot takes it. */
export interface Line {
  readonly label: string;
  /** Dollars, one for each time. */
  readonly values: readonly number[];
}

const keyOf = (row: LedgerView, by: CostKey): string => row[by] ?? '–';

/** What was spent, not what is held, the dearest in front. */
export function costBy(
  rows: readonly LedgerView[],
  by: CostKey,
): readonly { readonly key: string; readonly microUsd: number; readonly bursts: number }[] {
  const sums = new Map<string, { key: string; microUsd: number; bursts: number }>();
  for (const row of rows) {
    if (row.state !== 'settled') continue;
    const key = keyOf(row, by);
    const sum = sums.get(key) ?? { key, microUsd: 0, bursts: 0 };
    sums.set(key, { key, microUsd: sum.microUsd + row.microUsd, bursts: sum.bursts + 1 });
  }
  return [...sums.values()].sort((a, b) => b.microUsd - a.microUsd || (a.key < b.key ? -1 : 1));
}

const linesAtMost = 5;
const pointsAtMost = 400;

/** The running sum of what was settled, in dollars, one line for each of the dearest. */
export function spentOverTime(
  rows: readonly LedgerView[],
  by: CostKey,
): { readonly times: readonly number[]; readonly series: readonly Line[]; readonly total: number } {
  const settled = rows.filter((r) => r.state === 'settled').toSorted((a, b) => ms(a.at) - ms(b.at));
  const keys = costBy(rows, by)
    .slice(0, linesAtMost)
    .map((c) => c.key);
  const sums = new Map(keys.map((key) => [key, 0]));
  const each = Math.max(1, Math.ceil(settled.length / pointsAtMost));
  const times: number[] = [];
  const values = new Map(keys.map((key): [string, number[]] => [key, []]));
  for (const [i, row] of settled.entries()) {
    const key = keyOf(row, by);
    if (sums.has(key)) sums.set(key, (sums.get(key) ?? 0) + row.microUsd / 1e6);
    if (i % each !== 0 && i !== settled.length - 1) continue;
    times.push(ms(row.at));
    for (const [name, points] of values) points.push(sums.get(name) ?? 0);
  }
  const total = settled.reduce((sum, r) => sum + r.microUsd, 0);
  return { times, series: keys.map((label) => ({ label, values: values.get(label) ?? [] })), total };
}

/** The table that somebody saves; `more`: there are older rows in its span, and it is named after those that it has. */
export function tableOf(
  rows: readonly LedgerView[],
  more: boolean,
): { readonly name: string; readonly text: string } {
  // What came later stands behind: somebody may read the others by their place.
  const head = ['at', 'cluster', 'account', 'user', 'burst', 'state', 'usd', 'group'];
  const table = rows.map((r) => [
    ...[r.at, r.cluster, r.account, r.user ?? '', r.burst, r.state],
    ...[(r.microUsd / 1e6).toFixed(6), r.group ?? ''],
  ]);
  const name = more ? `spillway-ledger-newest-${rows.length}-rows.csv` : 'spillway-ledger.csv';
  return { name, text: csv([head, ...table]) };
}
