import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { basename } from 'node:path';
import { PortError } from '../../src/domain/fault.ts';
import { type Budget, type Period, periods } from '../../src/domain/money.ts';
import type { BudgetsPort, BudgetsRead } from '../../src/ports.ts';
import { rowsOf } from '../csv.ts';
import { amountOf } from './amount.ts';

const columns = ['account', 'user', 'usd', 'per', 'hard', 'on_exhausted'] as const;
type Column = (typeof columns)[number];
const ends = ['finish', 'requeue', 'cancel'] as const;
/** Somebody may be writing it yet. */
const settledMs = 1_000;
const longest = 2 ** 20;

/** A file with a header and a budget a line; read anew when it changes. A broken one is refused whole, with its line. */
export function csvBudgets(path: string, now: () => number = Date.now): BudgetsPort {
  let known: { readonly stamp: string; readonly read: BudgetsRead } | undefined;
  const fault = (fault: 'refused' | 'transient' | 'invalid', text: string, cause?: unknown): PortError =>
    new PortError(fault, 'budgets.csv', `${path}: ${text}`, { cause });
  return {
    read: async () => {
      // A pipe without a writer would never open.
      const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch(
        (e: NodeJS.ErrnoException) => {
          throw fault('refused', e.code === 'ENOENT' ? 'there is no such file' : e.message, e);
        },
      );
      try {
        const before = await file.stat();
        if (!before.isFile()) throw fault('invalid', 'no plain file; write the path of a CSV');
        const stamp = `${before.ino}/${before.size}/${before.mtimeMs}`;
        if (known?.stamp === stamp) return known.read;
        if (before.size > longest) throw fault('invalid', `larger than ${longest / 2 ** 20} MiB`);
        if (known !== undefined && Math.abs(now() - before.mtimeMs) < settledMs) return known.read;
        const text = await file.readFile('utf8');
        const after = await file.stat();
        if (after.mtimeMs !== before.mtimeMs || after.size !== before.size)
          throw fault('transient', 'changed while it was read');
        known = { stamp, read: { budgets: budgetsOf(text, path), troubles: [] } };
        return known.read;
      } finally {
        await file.close();
      }
    },
  };
}

/** `path` is for messages, and by its last part for each budget's source. */
export function budgetsOf(text: string, path: string): readonly Budget[] {
  const bad = (line: number, what: string, cause?: unknown): PortError =>
    new PortError('invalid', 'budgets.csv', `${path}:${line}: ${what}`, { cause });
  const lines = new Map<string, number>();
  return rowsOf(text, { columns, needed: ['usd'] }, bad).map(({ line, of: given }) => {
    const one = <T extends string>(column: Column, words: readonly T[], usual: T): T => {
      const word = given(column) ?? usual;
      if (!words.includes(word as T))
        throw bad(line, `${column}: "${word}" will not do; write ${words.join(', ')}`);
      return word as T;
    };
    const micro = amountOf(given('usd') ?? '');
    if (micro === undefined)
      throw bad(line, `usd: "${given('usd') ?? ''}" is no amount; write US dollars, such as 5000 or 5000.50`);
    const per = one<Period>('per', periods, 'month');
    const [account, user] = [given('account')?.toLowerCase(), given('user')];
    const key = JSON.stringify([account, user, per]);
    const earlier = lines.get(key);
    if (earlier !== undefined) throw bad(line, `the same account, user and period as line ${earlier}`);
    lines.set(key, line);
    return {
      ...{ account, user, microUsd: micro, per },
      hard: one('hard', ['true', 'false'], 'true') === 'true',
      onExhausted: one('on_exhausted', ends, 'finish'),
      source: `csv ${basename(path)} line ${line}`,
    };
  });
}
