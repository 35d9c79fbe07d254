import { describe, expect, it } from 'vitest';
import type { KyselyPool } from '../../../adapters/store/pool.ts';
import { Rows } from '../../../adapters/store/rows.ts';

interface Row {
  readonly id: string;
  readonly text: string;
}

/** A table of one cluster that tells, as the changed ones, whatever it is told to. */
class Table {
  readonly asked: (string | null)[] = [];
  rows: readonly { id: string; head: string; text: string }[] = [];
  changed: readonly string[] = [];
  parsed = 0;

  readonly of = new Rows<Row>(
    {
      ask: (_: string, __: string, [, since]: [string, string | null]) => this.answer(since),
    } as KyselyPool & {
      ask: unknown;
    },
    'bursts',
    (data) => {
      this.parsed++;
      return data as Row;
    },
  );

  private async answer(since: string | null) {
    this.asked.push(since);
    const sent = this.rows.filter((r) => since === null || this.changed.includes(r.id));
    const list = this.rows.map((r) => `${r.id} ${r.head.slice(0, 16)}`).join('\n');
    return [
      { id: null, since: `${this.asked.length}`, list: list === '' ? null : list },
      ...sent.map(({ id, head, text }) => ({ id, head, data: { id, text } })),
    ];
  }
}

const head = (digit: string) => digit.repeat(64);
const [a, b] = [
  { id: 'a', head: head('1'), text: 'first' },
  { id: 'b', head: head('2'), text: 'second' },
];

describe('rows that live', () => {
  it('are given again, neither sent nor parsed, while nothing changed', async () => {
    const table = new Table();
    table.rows = [a, b];
    const before = await table.of.live('c');
    expect(before.map((r) => r.text)).toEqual(['first', 'second']);
    expect(await table.of.live('c')).toBe(before);
    expect(table.asked).toEqual([null, '1']);
    expect(table.parsed).toBe(2);
  });

  it('come, change and go in the order of the list', async () => {
    const table = new Table();
    table.rows = [a];
    await table.of.live('c');
    table.rows = [
      { ...b, text: 'new' },
      { ...a, head: head('3'), text: 'changed' },
    ];
    table.changed = ['a', 'b'];
    expect((await table.of.live('c')).map((r) => r.text)).toEqual(['new', 'changed']);
    table.rows = table.rows.slice(1);
    table.changed = [];
    expect((await table.of.live('c')).map((r) => r.text)).toEqual(['changed']);
    table.rows = [];
    expect(await table.of.live('c')).toEqual([]);
    expect(table.asked).toEqual([null, '1', '2', '3']);
  });

  it('are read in full when the list differs from what was told to have changed', async () => {
    const table = new Table();
    table.rows = [a, b];
    await table.of.live('c');
    // As on an older store that came in place of this one.
    table.rows = [{ ...a, head: head('4'), text: 'older' }, b];
    expect((await table.of.live('c')).map((r) => r.text)).toEqual(['older', 'second']);
    expect(table.asked).toEqual([null, '1', null]);
  });
});
