import { useEffect, useState } from 'react';
import type { LedgerView } from '../../../api/portal-schemas.ts';
import { get, Problem } from '../../ask.ts';
import { every, now } from '../../browser.ts';

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
