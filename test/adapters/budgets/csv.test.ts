/** Budgets from a CSV: what each line says, and what is said of a line that is none. */
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { budgetsOf, csvBudgets } from '../../../adapters/budgets/csv.ts';

const header = 'account,user,usd,per,hard,on_exhausted';

describe('a line', () => {
  it('is one budget, with its file and line; what is left out is the usual', () => {
    const text = `\ufeff${header}\n# the overflow of 2026\nphysics,,5000,,,\n\nphysics,bob,12.5,week,false,requeue\n,,9000.000001,total,TRUE,`;
    expect(() => budgetsOf(text, '/etc/b.csv')).toThrow(
      '/etc/b.csv:6: hard: "TRUE" will not do; write true, false',
    );
    expect(budgetsOf(text.replace('TRUE', 'true'), '/etc/b.csv')).toEqual([
      {
        ...{ account: 'physics', user: undefined, microUsd: 5_000_000_000, per: 'month', hard: true },
        ...{ onExhausted: 'finish', source: 'csv b.csv line 3' },
      },
      {
        ...{ account: 'physics', user: 'bob', microUsd: 12_500_000, per: 'week', hard: false },
        ...{ onExhausted: 'requeue', source: 'csv b.csv line 5' },
      },
      {
        ...{ account: undefined, user: undefined, microUsd: 9_000_000_001, per: 'total', hard: true },
        ...{ onExhausted: 'finish', source: 'csv b.csv line 6' },
      },
    ]);
  });

  it.each([
    ['a,,5 000,,,', 'b.csv:2: usd: "5 000" is no amount'],
    ['a,,-5,,,', 'b.csv:2: usd: "-5" is no amount'],
    ['a,,$5,,,', 'b.csv:2: usd: "$5" is no amount'],
    ['a,,1e9,,,', 'b.csv:2: usd: "1e9" is no amount'],
    ['a,,,,,', 'b.csv:2: usd: "" is no amount'],
    ['a,,5,year,,', 'b.csv:2: per: "year" will not do; write day, week, month, total'],
    ['a,,5,,,kill', 'b.csv:2: on_exhausted: "kill" will not do'],
    ['a,,5,,,\na,,6,month,,', 'b.csv:3: the same account, user and period as line 2'],
    ['a,,5,,', 'b.csv:2:'],
    ['"a,,5,,,', 'b.csv:'],
  ])('that is none is refused with its place: %s', (line, words) => {
    expect(() => budgetsOf(`${header}\n${line}`, 'b.csv')).toThrow(words);
  });

  it('needs a header that is known', () => {
    expect(() => budgetsOf('account,dollars\na,5', 'b.csv')).toThrow('b.csv:1: unknown column "dollars"');
    expect(() => budgetsOf('account\na', 'b.csv')).toThrow('b.csv:1: no column usd');
    expect(() => budgetsOf('usd,usd\n1,2', 'b.csv')).toThrow('b.csv:1: column usd stands there twice');
    expect(() => budgetsOf('', 'b.csv')).toThrow('b.csv:1: no column usd');
  });
});

describe('the file', () => {
  let dir: string;
  let path: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'budgets-'));
    path = join(dir, 'budgets.csv');
  });
  afterEach(() => rm(dir, { recursive: true }));
  /** At a moment of long ago, so that it is settled. */
  const write = async (text: string, second: number): Promise<void> => {
    await writeFile(path, text);
    await utimes(path, second, second);
  };
  const amounts = async (port: ReturnType<typeof csvBudgets>) =>
    (await port.read()).budgets.map((b) => b.microUsd / 1e6);

  it('is read anew when it changed, and a broken one is refused each time until it is mended', async () => {
    const port = csvBudgets(path);
    await write('account,usd\na,5', 1_000);
    expect(await amounts(port)).toEqual([5]);
    await write('account,usd\na,6\nb,7', 2_000);
    expect(await amounts(port)).toEqual([6, 7]);
    await write('account,usd\na,six', 3_000);
    for (let i = 0; i < 2; i++)
      await expect(port.read()).rejects.toMatchObject({
        fault: 'invalid',
        message: expect.stringContaining(`${path}:2:`),
      });
    await write('account,usd\na,8', 4_000);
    expect(await amounts(port)).toEqual([8]);
  });

  it('that was changed in this very second counts as it was: it may be half written', async () => {
    let now = 1_000_000;
    const port = csvBudgets(path, () => now);
    await write('account,usd\na,5\nb,5', 1_000);
    expect(await amounts(port)).toEqual([5, 5]);
    now = 2_000_500;
    await write('account,usd\na,5', 2_000);
    expect(await amounts(port)).toEqual([5, 5]);
    now = 2_001_000;
    expect(await amounts(port)).toEqual([5]);
    // Another host's clock may be ahead: its file is not waited for.
    await write('account,usd\na,6', 9_000);
    expect(await amounts(port)).toEqual([6]);
  });

  it('that is not there is said', async () => {
    await expect(csvBudgets(path).read()).rejects.toMatchObject({
      fault: 'refused',
      message: `${path}: there is no such file`,
    });
  });

  it('that is a pipe, a device or a directory is refused, not waited for', async () => {
    const pipe = join(dir, 'pipe');
    execFileSync('mkfifo', [pipe]);
    for (const target of [pipe, '/dev/zero', dir]) {
      await symlink(target, path);
      await expect(csvBudgets(path).read()).rejects.toMatchObject({
        fault: 'invalid',
        message: `${path}: no plain file; write the path of a CSV`,
      });
      await rm(path);
    }
  });
});
