/** Lists by page on a store that is full: what people filter by is read by an index, and not by reading everything. */
import { CompiledQuery, Kysely, PostgresDialect } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  burstsPage,
  countReceipts,
  instancesPage,
  ledgerPage,
  receiptsPage,
} from '../../adapters/store/lists.ts';
import { KyselyPool, makePool } from '../../adapters/store/pool.ts';
import { openPostgresStore } from '../../adapters/store/postgres.ts';
import type { Tables } from '../../adapters/store/tables.ts';
import { type ClusterName, clusterName, instant } from '../../src/domain/ids.ts';
import type { Mark, Page, Paged, ReceiptFilter, SeenBy } from '../../src/domain/page.ts';
import type { StorePort } from '../../src/ports.ts';
import { type TestServer, testServer } from './embedded.ts';
import {
  aCluster,
  aFullBurst,
  anInstance,
  aReceipt,
  newId,
  putBurst,
  putInstance,
  putReceipt,
} from './samples.ts';

const onError = () => undefined;
const bursts = 10_000;

describe('a page of a list', () => {
  let server: TestServer;
  let url: string;
  let store: StorePort;
  let cluster: ClusterName;
  const query = (sql: string) =>
    server.query(sql, `${url}&options=${encodeURIComponent('-c search_path=spillway')}`);
  beforeAll(async () => {
    server = await testServer();
    url = await server.database();
    store = await openPostgresStore({ url, onError });
    cluster = aCluster();
    const burst = aFullBurst({ cluster });
    const wish = anInstance({ cluster });
    await store.commit(newId(), cluster, 1, [
      ...[putBurst(burst), putReceipt(aReceipt(burst)), putInstance(wish)],
    ]);
    // A year of machines, three of them up still; two of each age.
    await query(`
      insert into instances (id, cluster, state, live, rev, head, data, created_at, updated_at)
      select 'n' || g, cluster, case when up then 'ready' else 'gone' end, up, 1, md5('n' || g), data || jsonb_build_object('id', 'n' || g,
        'state', case when up then 'ready' else 'gone' end, 'createdAt', g / 2), g / 2, g
      from instances, generate_series(1, ${bursts}) g, lateral (select g % 4000 = 7 as up) as of`);
    // One account in twelve for most, and one that has five bursts in all; forty users, and a second cluster. Two of each age.
    await query(`
      insert into bursts (id, cluster, ref, job_id, attempt, state, live, rev, head, data, created_at, updated_at)
      select 'b' || g, c, g::text, g, 'a' || g, 'settled', false, 1, md5('b' || g), data || jsonb_build_object('id', 'b' || g, 'state', 'settled',
        'createdAt', g / 2, 'cluster', c, 'user', 'user' || g % 40,
        'account', case when g % 2000 = 0 then 'rare' else 'account' || g % 12 end), g / 2, g
      from bursts, generate_series(1, ${bursts}) g, lateral (select case when g % 5 = 1 then 'elsewhere' else cluster end c) as of`);
    await query(`
      insert into receipts (id, cluster, ref, attempt, seq, kind, at, data, prev, hash)
      select b.id, b.cluster, b.ref, b.attempt, 1, 'decision', b.created_at, r.data || jsonb_build_object('id', b.id, 'cluster', b.cluster,
        'at', b.created_at, 'user', b.data->>'user', 'account', b.data->>'account'), '', md5('r' || b.id)
      from receipts r, bursts b where b.state = 'settled' order by b.job_id`);
    await query(`
      insert into ledger (burst, cluster, account, user_name, micro_usd, state, at)
      select id, cluster, data->>'account', data->>'user', 1, 'settled', created_at from bursts where state = 'settled'`);
    await query('analyze');
  });
  afterAll(async () => {
    await store?.close();
    await server?.stop();
  });

  /** The plan of one of the question's statements, the first if not told, as the database carried it out. */
  const planOf = async (ask: (db: Kysely<Tables>) => Promise<unknown>, nth = 0): Promise<string> => {
    const asked: CompiledQuery[] = [];
    const pool = makePool({ url, name: 'test', max: 1, hurried: false, onError });
    const db = new Kysely<Tables>({
      dialect: new PostgresDialect({ pool: new KyselyPool(pool) }),
      log: ({ query: of }) => void asked.push(of),
    });
    try {
      await ask(db);
      const { sql: text = '', parameters = [] } = asked[nth] ?? {};
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

  it('of the instances that live reads these, and no more of the others than of a page', async () => {
    const first: Page = { limit: 50, after: undefined };
    const live = await planOf((db) => instancesPage(db, { live: true }, first));
    expect(live).toContain('instances_live');
    const newest = await planOf((db) => instancesPage(db, {}, first));
    expect(newest).toContain('instances_by_age');
    for (const plan of [live, newest]) expect(plan).not.toMatch(/Removed by Filter|Seq Scan/);
  });

  it('of the ledger of one burst reads its row, and of a page the groups of what is on it, by their keys', async () => {
    const first: Page = { limit: 50, after: undefined };
    const own = await planOf((db) => ledgerPage(db, { burst: 'b7', user: 'user7' }, first));
    expect(own).toContain('ledger_pkey');
    const groups = await planOf((db) => ledgerPage(db, {}, first), 1);
    expect(groups).toContain('bursts_pkey');
    expect(groups).toContain('instances_pkey');
    for (const plan of [own, groups]) expect(plan).not.toMatch(/Removed by Filter|Seq Scan/);
  });

  it.each([
    [{}, bursts + 1],
    // The first one is of now, and lives.
    [{ live: true }, 4],
    [{ live: false }, bursts - 3],
    [{ cluster: clusterName('elsewhere') }, 0],
  ])('page by page are all instances that fit, in order and once: %j', async (filter, n) => {
    const pool = makePool({ url, name: 'test', max: 1, hurried: false, onError });
    const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool: new KyselyPool(pool) }) });
    try {
      const found: (readonly [number, string])[] = [];
      let after: Mark | undefined;
      do {
        const { rows, next } = await instancesPage(db, filter, { limit: 997, after });
        found.push(...rows.map((i) => [i.createdAt, i.id] as const));
        after = next;
      } while (after !== undefined);
      expect(found).toHaveLength(n);
      const order = found.toSorted(([a, x], [b, y]) => b - a || (x < y ? 1 : -1));
      expect(found).toEqual(order);
    } finally {
      await db.destroy();
    }
  });

  const lists = {
    bursts: { index: 'bursts_of_account', page: burstsPage },
    receipts: { index: 'receipts_of_account', page: receiptsPage },
    ledger: { index: 'ledger_of_account', page: ledgerPage },
  } as const;
  type Row = Partial<Record<'id' | 'burst' | 'user' | 'account', string>> & { readonly cluster: string };
  type PageOf = (db: Kysely<Tables>, f: object, page: Page) => Promise<Paged<Row>>;
  const seenBy = (user: string, of: Readonly<Record<string, readonly string[]>>): SeenBy => ({
    user,
    accounts: new Map(
      Object.entries(of).map(([name, accounts]) => [clusterName(name), new Set(accounts)] as const),
    ),
  });
  /** All that fit a filter, whoever looks; read once. */
  const known = new Map<string, Promise<Paged<Row>>>();
  const all = (
    name: string,
    filter: object,
    read: (page: Page) => Promise<Paged<Row>>,
  ): Promise<Paged<Row>> => {
    const question = JSON.stringify([name, filter]);
    const found = known.get(question) ?? read({ limit: bursts + 10, after: undefined });
    known.set(question, found);
    return found;
  };

  it.each(Object.entries(lists))(
    'of the %s of accounts that somebody coordinates reads a page of each, and no row of other accounts',
    async (name, { index, page }) => {
      const his = { [cluster]: ['rare', 'account3', 'nobodys'] };
      const plan = await planOf((db) =>
        page(db, { seenBy: seenBy('user7', his) }, { limit: 50, after: undefined }),
      );
      expect(plan).toMatch(new RegExp(`Index Scan using ${index}`));
      // The accounts' rows of the other cluster are all that is read for nothing; of one's own in the ledger there is no index over all clusters.
      const read = [...plan.matchAll(/Rows Removed by Filter: (\d+)/g)].map(([, n]) => Number(n));
      expect(
        read.every((n) => n < (name === 'ledger' ? 3_000 : 100)),
        plan,
      ).toBe(true);
      expect(plan).not.toMatch(/Seq Scan/);
    },
  );

  it('of more receipts than are counted at once the newest are counted, and from when is told', async () => {
    const pool = makePool({ url, name: 'test', max: 1, hurried: false, onError });
    const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool: new KyselyPool(pool) }) });
    try {
      const filters: ReceiptFilter[] = [
        {},
        { user: 'user7' },
        { account: 'account3', cluster },
        { from: instant(2_000), to: instant(4_000) },
        { seenBy: seenBy('user7', { [cluster]: ['account1', 'account3'] }) },
      ];
      for (const filter of filters) {
        const all = await countReceipts(db, filter);
        expect(all.since).toBeUndefined();
        expect(await countReceipts(db, filter, all.receipts)).toEqual(all);
        const newest = await countReceipts(db, filter, 60);
        // Those of the same moment are all counted: two here, and no more.
        expect(newest.receipts - 60).toBeGreaterThanOrEqual(0);
        expect(newest.receipts - 60).toBeLessThanOrEqual(2);
        expect(await countReceipts(db, { ...filter, from: newest.since })).toEqual({
          ...newest,
          since: undefined,
        });
      }
      expect((await countReceipts(db, { user: 'nobody' }, 60)).receipts).toBe(0);
    } finally {
      await db.destroy();
    }
    const plan = await planOf((of) => countReceipts(of, {}, 60));
    expect(plan).toContain('receipts_newest');
    expect(plan).not.toMatch(/Seq Scan|Sort/);
  });

  it.each<[string, Readonly<Record<string, readonly string[]>>, object]>([
    ['one account', { here: ['rare'] }, {}],
    ['accounts of two clusters', { here: ['account1', 'rare'], elsewhere: ['account6', 'account1'] }, {}],
    ['those of one cluster', { here: ['account1'], elsewhere: ['account6'] }, { cluster: 'elsewhere' }],
    ['one of them', { here: ['account1', 'account7'] }, { account: 'account7' }],
    ['none of them', { here: ['account1'] }, { account: 'account2' }],
    ['his own account', { here: ['account7', 'account3'] }, {}],
    ['somebody’s', { here: ['account7', 'account3'], elsewhere: ['account7'] }, { user: 'user27' }],
    ['somebody’s of no account of his', { here: ['account1'] }, { user: 'user8' }],
    ['nothing', { here: ['nobodys'] }, { from: 1_000, to: 3_000 }],
    ['a span', { here: ['account4'], elsewhere: ['account6'] }, { from: 1_000, to: 3_000 }],
  ])('page by page is what he may see, in order and once: %s', async (_what, of, filter) => {
    const { here = [], ...there } = of;
    const seen = seenBy('user7', { [cluster]: here, ...there });
    const pool = makePool({ url, name: 'test', max: 2, hurried: false, onError });
    const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool: new KyselyPool(pool) }) });
    try {
      for (const [name, { page }] of Object.entries(lists) as [string, { page: PageOf }][]) {
        const key = (row: Row): string => (name === 'ledger' ? row.burst : row.id) ?? '';
        const { rows: fitting } = await all(name, filter, (of) => page(db, filter, of));
        const expected = fitting.filter(
          (r) =>
            r.user === seen.user || seen.accounts.get(clusterName(r.cluster))?.has(r.account ?? '') === true,
        );
        const found: Row[] = [];
        let after: Mark | undefined;
        do {
          const { rows, next } = await page(db, { ...filter, seenBy: seen }, { limit: 97, after });
          found.push(...rows);
          after = next;
        } while (after !== undefined);
        expect([name, found.map(key)]).toEqual([name, expected.map(key)]);
        if (name === 'receipts')
          expect((await countReceipts(db, { ...filter, seenBy: seen })).receipts).toBe(expected.length);
      }
    } finally {
      await db.destroy();
    }
  });
});
