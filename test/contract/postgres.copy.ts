import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { beginRecovery } from '../../adapters/store/age.ts';

async function on<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url, options: '-c search_path=spillway' });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** Copies of the whole schema, kept beside it, that it can be set back to under whoever uses it; `say`: as `spillway restore` does. */
export function keeping(url: string, say = true): () => Promise<() => Promise<void>> {
  return async () => {
    const copy = `kept_${randomBytes(4).toString('hex')}`;
    const tables = await on(url, async (client) => {
      const { rows } = await client.query<{ name: string }>(
        `select table_name as name from information_schema.tables where table_schema = 'spillway' order by 1`,
      );
      const names = rows.map((r) => r.name);
      const copies = names.map((t) => `create table ${copy}.${t} as table spillway.${t}`);
      await client.query(
        `begin isolation level repeatable read; create schema ${copy}; ${copies.join('; ')}; commit`,
      );
      return names;
    });
    return () =>
      on(url, async (client) => {
        const back = tables.map((t) => `insert into ${t} overriding system value table ${copy}.${t}`);
        // Every commit begins with this table, so none is in the midst of the others when they are locked.
        await client.query(
          `begin; lock table commits; truncate ${tables.join(', ')}; ${back.join('; ')}; commit`,
        );
        if (say) await beginRecovery(client, 'a backup was restored');
      });
  };
}
