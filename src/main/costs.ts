/** `spillway cost` and `export focus`. */
import { resolve } from 'node:path';
import { billFiles } from '../../adapters/billing/index.ts';
import { postgresCosts } from '../../adapters/store/costs.ts';
import { requireCurrent } from '../../adapters/store/migrate.ts';
import { loadConfig } from '../../config/load.ts';
import type { Config } from '../../config/schema.ts';
import { type CostOrder, costInWords } from '../cli/cost.ts';
import { type ExportOrder, exportedInWords, exportedJson } from '../cli/export.ts';
import type { CostPiece, Reconciled } from '../domain/cost.ts';
import { clusterName, type Instant, instant } from '../domain/ids.ts';
import { periodStart } from '../domain/money.ts';
import { marksOf, piecesOf, reportOf } from '../ledger/costs.ts';
import { csvOf, focusOf } from '../ledger/focus.ts';
import { reconciled } from '../ledger/reconcile.ts';
import { visiting } from './database.ts';
import { clock } from './ground.ts';
import { replaceFile } from './whole-file.ts';

interface Costs {
  readonly since: Instant;
  readonly at: Instant;
  readonly pieces: readonly CostPiece[];
  readonly bill: Reconciled | undefined;
}

/** Of whole days. A bill that cannot be read is told before the store is asked. */
async function costsOf(config: Config, forMs: number, billed: readonly string[]): Promise<Costs> {
  const bill = billed.length === 0 ? undefined : await billFiles().read(billed.map((file) => resolve(file)));
  const at = clock.now();
  const since = periodStart('day', instant(at - forMs));
  const pieces = await visiting(config, async (url) => {
    await requireCurrent(url);
    const found: CostPiece[] = [];
    for (const { name } of config.clusters)
      found.push(...piecesOf(await postgresCosts(url).facts(clusterName(name), since)));
    return found;
  });
  return { since, at, pieces, bill: bill && reconciled(pieces, bill, at) };
}

export async function cost(path: string, { by, forMs, format, billed }: CostOrder): Promise<void> {
  const config = await loadConfig(path);
  const { since, at, pieces, bill } = await costsOf(config, forMs, billed);
  const report = reportOf(pieces, { since, at, by, bill });
  for (const line of costInWords(report, format, config.retention.auditMs)) console.log(line);
}

export async function exportFocus(path: string, { forMs, to, billed, json }: ExportOrder): Promise<void> {
  const { since, pieces, bill } = await costsOf(await loadConfig(path), forMs, billed);
  const { rows, leftOutMs } = focusOf(pieces, since, marksOf(bill));
  await replaceFile(to, `${[...csvOf(rows)].join('\n')}\n`, 0o640, `--to ${to}`);
  const done = { to, rows: rows.length, leftOutMs, bill };
  for (const line of json ? [exportedJson(done)] : exportedInWords(done)) console.log(line);
}
