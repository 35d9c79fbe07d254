import { readFileSync, statSync } from 'node:fs';
import { PortError } from '../../src/domain/fault.ts';
import { type Instant, instant } from '../../src/domain/ids.ts';
import type { ListedPrice } from '../../src/domain/policy.ts';
import { amountOf } from '../budgets/amount.ts';
import { rowsOf } from '../csv.ts';

const columns = ['type', 'zone', 'capacity', 'usd_per_hour', 'from'] as const;
const longest = 2 ** 20;

/** A file with a header and a price a line. A broken one is refused whole, with its line; it is read once. */
export function csvPrices(path: string, region: string): readonly ListedPrice[] {
  const fault = (text: string, cause?: unknown) =>
    new PortError('invalid', 'prices.csv', `${path}: ${text}`, { cause });
  try {
    const stat = statSync(path);
    if (!stat.isFile()) throw fault('no plain file; write the path of a CSV');
    if (stat.size > longest) throw fault(`larger than ${longest / 2 ** 20} MiB`);
    return pricesOf(readFileSync(path, 'utf8'), path, region);
  } catch (e) {
    if (e instanceof PortError) throw e;
    throw fault(
      (e as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no such file' : (e as Error).message,
      e,
    );
  }
}

/** `path` is for messages; a zone may be its letter alone, in `region`. */
export function pricesOf(text: string, path: string, region: string): readonly ListedPrice[] {
  const bad = (line: number, what: string, cause?: unknown) =>
    new PortError('invalid', 'prices.csv', `${path}:${line}: ${what}`, { cause });
  const seen = new Map<string, number>();
  return rowsOf(text, { columns, needed: ['type', 'usd_per_hour', 'from'] }, bad).map(({ line, of }) => {
    const type = of('type');
    if (type === undefined || !/^[a-z0-9.-]+$/.test(type))
      throw bad(line, `type: "${type ?? ''}" is none; write one such as c7i.4xlarge`);
    const capacityType = of('capacity') ?? 'on-demand';
    if (capacityType !== 'on-demand' && capacityType !== 'spot')
      throw bad(line, `capacity: "${capacityType}" will not do; write on-demand or spot`);
    const microUsd = amountOf(of('usd_per_hour') ?? '');
    if (microUsd === undefined || microUsd === 0)
      throw bad(
        line,
        `usd_per_hour: "${of('usd_per_hour') ?? ''}" is no price; write US dollars, such as 0.714`,
      );
    const from = dayOf(of('from') ?? '');
    if (from === undefined)
      throw bad(line, `from: "${of('from') ?? ''}" is no day; write one such as 2026-11-01`);
    const letter = of('zone');
    const zone = letter !== undefined && /^[a-z]$/.test(letter) ? `${region}${letter}` : letter;
    const key = JSON.stringify([type, zone, capacityType, from]);
    const earlier = seen.get(key);
    if (earlier !== undefined) throw bad(line, `the same type, zone, capacity and day as line ${earlier}`);
    seen.set(key, line);
    return { type, zone, capacityType, microUsd, from };
  });
}

/** Midnight, UTC, of a day that there is. */
function dayOf(text: string): Instant | undefined {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return undefined;
  const at = Date.parse(`${text}T00:00:00Z`);
  return Number.isNaN(at) || new Date(at).toISOString().slice(0, 10) !== text ? undefined : instant(at);
}
