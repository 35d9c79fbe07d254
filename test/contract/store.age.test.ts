import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openPostgresStore, PostgresStore } from '../../adapters/store/postgres.ts';
import type { StorePort } from '../../src/ports.ts';
import { type TestServer, testServer } from './embedded.ts';
import { aBurst, aCluster, newId, putBurst } from './samples.ts';
import { faulting } from './store.under-test.ts';

describe('a store on Postgres knows where it was last open', () => {
  let server: TestServer;
  let url: string;
  let store: StorePort;
  beforeAll(async () => {
    server = await testServer();
    url = await server.database();
    store = await openPostgresStore({ url, onError: () => undefined });
  });
  afterAll(async () => {
    await store?.close();
    await server?.stop();
  });

  /** As if the database had been moved there from elsewhere, and every connection been cut by it. */
  const cameFrom = async (incarnation: string) => {
    await server.query(`update spillway.meta set incarnation = '${incarnation}'`, url);
    await server.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where application_name = 'spillway' and datname = current_database()`,
      url,
    );
  };

  it('writes it down at the first connection, and does not recover for want of it', async () => {
    await store.ping();
    const [row] = await server.query('select incarnation from spillway.meta', url);
    expect(row?.incarnation).toMatch(/^-?\d+\/[0-9A-F]{8}$/);
    expect(await store.recovering(aCluster())).toBeUndefined();
  });

  it.each([
    ['1/00000001', 'the store is on another Postgres server than before: it was moved or restored'],
    ['timeline', 'Postgres is on timeline 1 and was on 7: it was restored or failed over'],
  ])(
    'recovers on another server and on another timeline (%s), once for all connections',
    async (was, why) => {
      const cluster = aCluster();
      const lease = await store.lease(cluster, 'a', 60_000);
      const before = await store.generation();
      const [row] = await server.query('select incarnation from spillway.meta', url);
      await cameFrom(was === 'timeline' ? String(row?.incarnation).replace('00000001', '00000007') : was);

      const second = new PostgresStore({ url, onError: () => undefined });
      await Promise.allSettled(Array.from({ length: 16 }, (_, i) => (i % 2 === 0 ? store : second).ping()));
      const generation = await store.generation();
      expect(generation).not.toBe(before);
      expect((await store.recovering(cluster))?.why).toBe(why);
      const late = store.commit(newId(), cluster, lease?.epoch ?? 0, [putBurst(aBurst({ cluster }))]);
      await expect(late).rejects.toEqual(faulting('stale'));
      const mine = await store.lease(cluster, 'a', 60_000);
      expect(mine?.epoch ?? 0).toBeGreaterThan(lease?.epoch ?? 0);

      const third = new PostgresStore({ url, onError: () => undefined });
      await third.ping();
      expect(await third.generation()).toBe(generation);
      expect((await third.lease(cluster, 'a', 60_000))?.epoch).toBe(mine?.epoch);
      await second.close();
      await third.close();
    },
  );

  it('takes stock first where nothing was ever done, with epochs above all that came before; once, and never again after', async () => {
    const fresh = await server.database();
    const open = () => openPostgresStore({ url: fresh, onError: () => undefined, newTakesStock: true });
    const began = Date.now();
    const [first, beside] = [await open(), await open()];
    const cluster = aCluster();
    const told = await first.recovering(cluster);
    expect(told?.why).toContain('new');
    expect(await beside.recovering(cluster)).toEqual(told);
    const lease = await first.lease(cluster, 'a', 60_000);
    expect(lease?.epoch ?? 0).toBeGreaterThan(began - 60_000);
    await first.recovered(cluster);
    await first.commit(newId(), cluster, lease?.epoch ?? 0, [putBurst(aBurst({ cluster }))]);
    const later = await open();
    expect(await later.recovering(cluster)).toBeUndefined();
    expect((await later.lease(cluster, 'a', 60_000))?.epoch).toBe(lease?.epoch);
    for (const s of [first, beside, later]) await s.close();
  });

  it('works where the account may not ask', async () => {
    await server.query('create role modest login; grant create on database postgres to modest');
    const modest = url.replace('//spillway@', '//modest@').replace(/\/t[0-9a-f]+\?/, '/postgres?');
    await server.query(
      'revoke execute on function pg_control_system() from public',
      modest.replace('//modest@', '//spillway@'),
    );
    const there = await openPostgresStore({ url: modest, onError: () => undefined });
    await there.ping();
    expect(await there.recovering(aCluster())).toBeUndefined();
    const client = new pg.Client({ connectionString: modest });
    await client.connect();
    expect((await client.query('select incarnation from spillway.meta')).rows).toEqual([
      { incarnation: null },
    ]);
    await client.end();
    await there.close();
  });
});
