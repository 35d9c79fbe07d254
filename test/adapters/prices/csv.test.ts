import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { csvPrices, pricesOf } from '../../../adapters/prices/csv.ts';

const dir = mkdtempSync(join(tmpdir(), 'spillway-prices-'));
afterAll(() => rmSync(dir, { recursive: true }));
const of = (...lines: readonly string[]) =>
  pricesOf(['type,zone,capacity,usd_per_hour,from', ...lines].join('\n'), 'prices.csv', 'eu-central-1');

describe('a list of prices in a CSV', () => {
  it('is read by its header, with a zone by its letter', () => {
    expect(of('c7i.4xlarge,a,,0.714,2026-11-01', 'c7i.4xlarge,eu-west-1b,spot,0.3,2026-11-02')).toEqual([
      {
        ...{ type: 'c7i.4xlarge', zone: 'eu-central-1a', capacityType: 'on-demand', microUsd: 714_000 },
        from: Date.UTC(2026, 10, 1),
      },
      {
        ...{ type: 'c7i.4xlarge', zone: 'eu-west-1b', capacityType: 'spot', microUsd: 300_000 },
        from: Date.UTC(2026, 10, 2),
      },
    ]);
    expect(pricesOf('type,from,usd_per_hour\nx.y,2026-01-01,1\n', 'p', 'r')).toMatchObject([
      { zone: undefined },
    ]);
  });

  it.each([
    ['c7i.4xlarge,,,0,2026-11-01', 'prices.csv:2: usd_per_hour: "0" is no price'],
    ['c7i.4xlarge,,,-1,2026-11-01', 'prices.csv:2: usd_per_hour: "-1" is no price'],
    ['c7i.4xlarge,,,"0,7",2026-11-01', 'prices.csv:2: usd_per_hour: "0,7" is no price'],
    ['c7i.4xlarge,,,1,2026-02-30', 'prices.csv:2: from: "2026-02-30" is no day'],
    ['c7i.4xlarge,,,1,1.11.2026', 'prices.csv:2: from: "1.11.2026" is no day'],
    ['c7i.4xlarge,,reserved,1,2026-11-01', 'prices.csv:2: capacity: "reserved" will not do'],
    [',,,1,2026-11-01', 'prices.csv:2: type: "" is none'],
  ])('is refused with its line: %s', (line, text) => {
    expect(() => of(line)).toThrow(text);
  });

  it('is refused with a line twice, without a column that it needs, and where it is no file', () => {
    expect(() => of('x.y,,,1,2026-01-01', 'x.y,,,2,2026-01-01')).toThrow(
      'prices.csv:3: the same type, zone, capacity and day as line 2',
    );
    expect(() => pricesOf('type,usd_per_hour\nx.y,1\n', 'prices.csv', 'r')).toThrow(
      'prices.csv:1: no column from',
    );
    expect(() => csvPrices(join(dir, 'none.csv'), 'r')).toThrow('none.csv: there is no such file');
    expect(() => csvPrices(dir, 'r')).toThrow('no plain file');
    writeFileSync(join(dir, 'p.csv'), 'type,usd_per_hour,from\nx.y,1.5,2026-01-01\n');
    expect(csvPrices(join(dir, 'p.csv'), 'r')).toHaveLength(1);
  });
});
