/** Lists by page on a store that is full: what people filter by is read by an index, and not by reading everything. */
import { CompiledQuery, Kysely, PostgresDialect } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { burstsPage } from '../../adapters/store/lists.ts';
import { KyselyPool, makePool } from '../../adapters/store/pool.ts';
import { openPostgresStore } from '../../adapters/store/postgres.ts';
import type { Tables } from '../../adapters/store/tables.ts';
import type { StorePort } from '../../src/ports.ts';
import { type TestServer, testServer } from './embedded.ts';
import { aCluster, aFullBurst, newId, putBurst } from './samples.ts';

const onError = () => undefined;
const bursts = 10_000;

describe('a page of a list', () => {
  let server: TestServer;
  let url: string;
  let store: StorePort;
  const query = (sql: string) =>
    server.query(sql, `${url}&options=${encodeURIComponent('-c search_path=spillway')}`);
  beforeAll(async () => {
    server = await testServer();
    url = await server.database();
    store = await openPostgresStore({ url, onError });
    const burst = aFullBurst({ cluster: aCluster() });
    await store.commit(newId(), burst.cluster, 1, [putBurst(burst)]);
    // One account in twelve for most, and one that has five bursts in all.
    await query(`
      insert into bursts (id, cluster, ref, job_id, attempt, state, live, rev, head, data, created_at, updated_at)
      select 'b' || g, cluster, g::text, g, 'a' || g, 'settled', false, 1, md5('b' || g), data || jsonb_build_object('id', 'b' || g, 'state', 'settled',
        'createdAt', g, 'account', case when g % 2000 = 0 then 'rare' else 'account' || g % 12 end), g, g
      from bursts, generate_series(1, ${bursts}) g`);
    await query('analyze bursts');
  });
  afterAll(async () => {
    await store?.close();
    await server?.stop();
  });

  /** The plan of the question's first statement, as the database carried it out. */
  const planOf = async (ask: (db: Kysely<Tables>) => Promise<unknown>): Promise<string> => {
    const asked: CompiledQuery[] = [];
    const pool = makePool({ url, name: 'test', max: 1, hurried: false, onError });
    const db = new Kysely<Tables>({
      dialect: new PostgresDialect({ pool: new KyselyPool(pool) }),
      log: ({ query: of }) => void asked.push(of),
    });
    try {
      await ask(db);
      const [{ sql: text = '', parameters = [] } = {}] = asked;
      const explained = CompiledQuery.raw(`explain (analyze, costs off, timing off) ${text}`, [
        ...parameters,
      ]);
      return (await db.executeQuery(explained)).rows.map((row) => Object.values(row as object)[0]).join('\n');
    } finally {
      await db.destroy();
    }
  };

  it.each(['rare', 'account3', 'nobodys'])(
    'of the bursts of an account reads these, and no other: %s',
    async (account) => {
      const plan = await planOf((db) => burstsPage(db, { account }, { limit: 50, after: undefined }));
      expect(plan).toContain('bursts_of_account');
      expect(plan).not.toMatch(/Removed by Filter|Seq Scan/);
    },
  );
});
