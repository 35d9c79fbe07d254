/** Spot for a replay: one price, or a file of them with dates, and how often what runs on it is taken back. */
import { readFile } from 'node:fs/promises';
import { microUsd } from '../domain/money.ts';
import type { SpotPriceSince, SpotTerms } from '../sim/replay/spot.ts';
import { CommandError } from './ask.ts';

/** In 20 hours one, as the gateway assumes it before it has seen its own. */
export const usualLossesPerHour = 1 / 20;

/** `price`: dollars a core-hour, or a file of lines `TIME,USD`. */
export async function spotOf(price: string, lossesPerHour: number): Promise<SpotTerms> {
  return { history: await historyOf(price), lossesPerHour, seed: 1 };
}

async function historyOf(text: string): Promise<readonly SpotPriceSince[]> {
  const constant = usdOf(text);
  if (constant !== undefined) return [{ fromMs: 0, microUsdPerCoreHour: constant }];
  const source = await readFile(text, 'utf8').catch(() => undefined);
  if (source === undefined)
    throw new CommandError(
      `--spot-price ${text}: neither dollars a core-hour nor a file; write such as --spot-price 0.015, or a file of lines such as 2026-10-01T00:00:00Z,0.015`,
    );
  const lines = source.split(/\r?\n/).map((line, i) => ({ line: line.trim(), at: `${text}:${i + 1}` }));
  const history = lines.flatMap(({ line, at }) =>
    line === '' || line.startsWith('#') || /^time\b/i.test(line) ? [] : [sinceOf(line, at)],
  );
  if (history.length === 0) throw new CommandError(`--spot-price ${text}: holds no price`);
  return history.sort((a, b) => a.fromMs - b.fromMs);
}

function sinceOf(line: string, at: string): SpotPriceSince {
  const [time = '', usd = '', ...more] = line.split(',').map((cell) => cell.trim());
  const fromMs = /^\d{1,11}$/.test(time) ? 1_000 * Number(time) : Date.parse(time);
  const price = usdOf(usd);
  if (Number.isNaN(fromMs) || price === undefined || more.length > 0)
    throw new CommandError(
      `${at}: ${line}: no time and dollars a core-hour; write such as 2026-10-01T00:00:00Z,0.015, or seconds since 1970 in the place of the time`,
    );
  return { fromMs, microUsdPerCoreHour: price };
}

function usdOf(text: string): number | undefined {
  return /^\d{1,6}(\.\d{1,9})?$/.test(text) ? microUsd(Number(text)) : undefined;
}
