import { useEffect, useState } from 'react';
import type { LedgerView } from '../../../api/portal-schemas.ts';
import { get, Problem } from '../../ask.ts';
import { every, now } from '../../browser.ts';
import { ms } from '../../format.ts';
import type { Series } from '../../parts/plot.tsx';

export type CostKey = 'account' | 'user' | 'cluster';

/** Pages of a thousand; a span with more is told to be cut. */
const pagesAtMost = 10;
const againMs = 20_000;

interface Ledger {
  readonly rows: readonly LedgerView[];
  readonly at: number | undefined;
  readonly more: boolean;
  readonly problem: Problem | undefined;
}

const nothing: Ledger = { rows: [], at: undefined, more: false, problem: undefined };

async function read(question: string, signal: AbortSignal): Promise<Omit<Ledger, 'at' | 'problem'>> {
  const rows: LedgerView[] = [];
  let cursor = '';
  for (let page = 0; page < pagesAtMost; page++) {
    const answer = await get<{ readonly ledger: readonly LedgerView[]; readonly next?: string }>(
      `ledger?${question}&limit=1000${cursor}`,
      signal,
    );
    rows.push(...answer.ledger);
    if (answer.next === undefined) return { rows, more: false };
    cursor = `&cursor=${encodeURIComponent(answer.next)}`;
  }
  return { rows, more: true };
}

/** The ledger of the last days, the newest rows of it where it is long. */
export function useLedger(days: number, account: string, user: string): Ledger {
  const [ledger, setLedger] = useState<Ledger>(nothing);
  useEffect(() => {
    const ends = new AbortController();
    const load = (): void => {
      // To the hour, so that a page and the one behind it ask the same.
      const from = new Date(Math.floor((now() - days * 86_400_000) / 3_600_000) * 3_600_000).toISOString();
      const asked = new URLSearchParams({
        from,
        ...(account === '' ? {} : { account }),
        ...(user === '' ? {} : { user }),
      });
      read(asked.toString(), ends.signal)
        .then((found) => setLedger({ ...found, at: now(), problem: undefined }))
        .catch((e: unknown) => {
          if (ends.signal.aborted) return;
          const problem = e instanceof Problem ? e : new Problem(0, 'failed', String(e));
          setLedger((last) => ({ ...last, problem }));
        });
    };
    load();
    const end = every(againMs, load);
    return () => {
      end();
      ends.abort();
    };
  }, [days, account, user]);
  return ledger;
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
): { readonly times: readonly number[]; readonly series: readonly Series[]; readonly total: number } {
  const settled = rows.filter((r) => r.state === 'settled').toSorted((a, b) => ms(a.at) - ms(b.at));
  const keys = costBy(rows, by)
    .slice(0, linesAtMost)
    .map((c) => c.key);
  const sums = new Map(keys.map((key) => [key, 0]));
  const every_ = Math.max(1, Math.ceil(settled.length / pointsAtMost));
  const times: number[] = [];
  const values = new Map(keys.map((key): [string, number[]] => [key, []]));
  for (const [i, row] of settled.entries()) {
    const key = keyOf(row, by);
    if (sums.has(key)) sums.set(key, (sums.get(key) ?? 0) + row.microUsd / 1e6);
    if (i % every_ !== 0 && i !== settled.length - 1) continue;
    times.push(ms(row.at));
    for (const [name, points] of values) points.push(sums.get(name) ?? 0);
  }
  const total = settled.reduce((sum, r) => sum + r.microUsd, 0);
  return { times, series: keys.map((label) => ({ label, values: values.get(label) ?? [] })), total };
}
