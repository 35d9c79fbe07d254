import { describe, expect, it } from 'vitest';
import { instant } from '../../src/domain/ids.ts';
import type { EndedRun, History } from '../../src/domain/job.ts';
import { HistoryReader } from '../../src/engine/history.ts';

const day = 86_400_000;
const now = instant(100 * day);
const lag = 60_000;

/** Notes what it is asked for, and answers one run an hour. */
class Books {
  readonly asked: [number, number][] = [];
  fails = 0;
  async history(from: number, to: number): Promise<History> {
    if (this.fails-- > 0) throw new Error('slurmdbd is away');
    this.asked.push([from, to]);
    return { runs: [{ endAt: from } as EndedRun], partial: [] };
  }
}

describe('a site’s history', () => {
  it('is read day by day, oldest first, each moment once, and then as it grows', async () => {
    const books = new Books();
    const learned: EndedRun[] = [];
    const reader = new HistoryReader(books, { learn: (runs) => learned.push(...runs) }, 3 * day);
    expect(await reader.read(now)).toBe(true);
    expect(await reader.read(now)).toBe(true);
    expect(await reader.read(now)).toBe(false);
    const first = now - lag - 3 * day;
    expect(books.asked).toEqual([0, 1, 2].map((d) => [first + d * day, first + (d + 1) * day]));
    expect(await reader.read(now)).toBe(false);
    expect(books.asked).toHaveLength(3);
    await reader.read(instant(now + 120_000));
    expect(books.asked.at(-1)).toEqual([now - lag, now - lag + 120_000]);
    expect(learned).toHaveLength(4);
  });

  it('what could not be read is asked for again, and learned once', async () => {
    const books = new Books();
    const learned: EndedRun[] = [];
    const reader = new HistoryReader(books, { learn: (runs) => learned.push(...runs) }, day);
    books.fails = 1;
    await expect(reader.read(now)).rejects.toThrow('slurmdbd is away');
    expect(learned).toEqual([]);
    await reader.read(now);
    expect(learned).toHaveLength(1);
  });

  it('a clock that is set back asks for nothing twice', async () => {
    const books = new Books();
    const reader = new HistoryReader(books, { learn: () => undefined }, day);
    await reader.read(now);
    expect(await reader.read(instant(now - day))).toBe(false);
    await reader.read(instant(now + day / 2));
    expect(books.asked.at(-1)).toEqual([now - lag, now - lag + day / 2]);
  });
});
