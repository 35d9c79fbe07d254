import pg from 'pg';
import { asFault } from './faults.ts';
import { int8Types, schemaName } from './pool.ts';

/** A look at the whole store as of one moment, however long it takes and whoever writes meanwhile. */
export interface Moment {
  /** Rows in pages, by a cursor: no more of them is held here than one page. */
  rows<T>(text: string, values?: readonly unknown[]): AsyncGenerator<T>;
  all<T>(text: string, values?: readonly unknown[]): Promise<readonly T[]>;
}

const page = 1_000;

export async function atOneMoment<T>(
  url: string,
  name: string,
  work: (moment: Moment) => Promise<T>,
): Promise<T> {
  const client = new pg.Client({
    connectionString: url,
    application_name: name,
    options: `-c search_path=${schemaName}`,
    connectionTimeoutMillis: 5_000,
    types: int8Types,
  });
  client.on('error', () => undefined);
  let cursors = 0;
  try {
    await client.connect();
    await client.query('begin isolation level repeatable read, read only');
    const result = await work({
      all: async <R>(text: string, values: readonly unknown[] = []) =>
        (await client.query(text, [...values])).rows as R[],
      rows: async function* <R>(text: string, values: readonly unknown[] = []) {
        const cursor = `c${++cursors}`;
        await client.query(`declare ${cursor} no scroll cursor for ${text}`, [...values]);
        try {
          for (;;) {
            const { rows } = await client.query(`fetch ${page} from ${cursor}`);
            yield* rows as R[];
            if (rows.length < page) return;
          }
        } finally {
          await client.query(`close ${cursor}`);
        }
      },
    });
    await client.query('commit');
    return result;
  } catch (e) {
    throw asFault(e, 'store.read', false);
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** Rows of one key after another, as groups; the rows come sorted by it. */
export async function* grouped<T>(
  rows: AsyncIterable<T>,
  key: (row: T) => string,
): AsyncGenerator<{ readonly key: string; readonly rows: T[] }> {
  let group: { key: string; rows: T[] } | undefined;
  for await (const row of rows) {
    const k = key(row);
    if (group?.key === k) group.rows.push(row);
    else {
      if (group !== undefined) yield group;
      group = { key: k, rows: [row] };
    }
  }
  if (group !== undefined) yield group;
}

type Group<T> = { readonly key: string; readonly rows: T[] };

/** Three sorted streams of groups side by side, by key; what a stream lacks is empty. */
export async function* sideBySide<A, B, C>(
  a: AsyncGenerator<Group<A>>,
  b: AsyncGenerator<Group<B>>,
  c: AsyncGenerator<Group<C>>,
): AsyncGenerator<{ readonly key: string; readonly a: A[]; readonly b: B[]; readonly c: C[] }> {
  try {
    const at = { a: await take(a), b: await take(b), c: await take(c) };
    for (;;) {
      const keys = [at.a?.key, at.b?.key, at.c?.key].filter((k) => k !== undefined);
      if (keys.length === 0) return;
      const key = keys.reduce((least, k) => (byBytes(k, least) < 0 ? k : least));
      const found = {
        a: at.a?.key === key ? at.a.rows : [],
        b: at.b?.key === key ? at.b.rows : [],
        c: at.c?.key === key ? at.c.rows : [],
      };
      yield { key, ...found };
      if (at.a?.key === key) at.a = await take(a);
      if (at.b?.key === key) at.b = await take(b);
      if (at.c?.key === key) at.c = await take(c);
    }
  } finally {
    for (const stream of [a, b, c]) await stream.return(undefined);
  }
}

async function take<T>(stream: AsyncGenerator<T>): Promise<T | undefined> {
  const { value, done } = await stream.next();
  return done === true ? undefined : value;
}

/** As the database sorts with collation "C". */
function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
