import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Migration } from 'kysely';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PostgresAnchors } from '../../adapters/store/anchors.ts';
import { migrate, migrateTo, migrations } from '../../adapters/store/migrate.ts';
import { openPostgresStore, PostgresStore } from '../../adapters/store/postgres.ts';
import { faultOf } from '../../src/domain/fault.ts';
import { instant } from '../../src/domain/ids.ts';
import { type TestServer, testServer } from './embedded.ts';
import { aBurst, newId, putBurst } from './samples.ts';

const statement = (text: string): Migration => ({
  up: async (db) => {
    await sql.raw(text).execute(db);
  },
});

describe('migrations', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await testServer();
  });
  afterAll(() => server?.stop());

  const names = async (url: string) =>
    (await server.query('select name from spillway.kysely_migration order by name', url)).map((r) => r.name);

  it('make a new database once, though four gateways come at the same moment', async () => {
    const url = await server.database();
    const stores = await Promise.all(
      Array.from({ length: 4 }, () => openPostgresStore({ url, onError: () => undefined })),
    );
    const generations = await Promise.all(stores.map((s) => s.generation()));
    expect(new Set(generations).size).toBe(1);
    expect(await names(url)).toEqual(Object.keys(migrations));
    for (const s of stores) await s.close();
  });

  it('go forward from each earlier version, and keep what is there', async () => {
    const names = Object.keys(migrations);
    for (const from of names) {
      const url = await server.database();
      await migrateTo(url, { upTo: from });
      await server.query(`insert into spillway.commits (id, cluster) values ('c-1', 'hpc1')`, url);
      const [before] = await server.query('select generation from spillway.meta', url);
      const store = await openPostgresStore({ url, onError: () => undefined });
      expect(await store.generation()).toBe(before?.generation);
      const b = aBurst();
      expect(await store.commit(newId(), b.cluster, 1, [putBurst(b)])).toBe('ok');
      expect(await server.query('select id from spillway.commits order by at limit 1', url)).toEqual([
        { id: 'c-1' },
      ]);
      await store.close();
    }
  });

  it('tell of money that was held before there were budgets of users whose it is', async () => {
    const url = await server.database();
    await migrateTo(url, { upTo: '0010_alone' });
    const before = new PostgresStore({ url, onError: () => undefined });
    const b = aBurst({ user: 'bob' });
    const { cluster, account } = b;
    const hold = { burst: b.id, cluster, account, user: '', microUsd: 7, at: instant(1), limits: [] };
    expect(await before.commit(newId(), cluster, 1, [putBurst(b), { kind: 'hold', hold }])).toBe('ok');
    await before.close();
    const store = await openPostgresStore({ url, onError: () => undefined });
    const held = async (user: string) =>
      (await store.money(cluster, { account: undefined, user, since: instant(0) })).held;
    expect([await held('bob'), await held('alice')]).toEqual([7, 0]);
    await store.close();
  });

  it('anchor what was written before there were anchors', async () => {
    const url = await server.database();
    await migrateTo(url, { upTo: '0003_ledger' });
    await server.query(
      `insert into spillway.audit values ('b-1', 1, 5, null, 'proposed', 'w', 'd', 'p', 'h1'), ('b-1', 2, 5, null, 'proposed', 'w', 'd', 'h1', 'h2')`,
      url,
    );
    await migrate(url);
    const anchors = new PostgresAnchors({ url, onError: () => undefined });
    expect((await anchors.anchor())?.anchor.heads).toBe(1);
    expect(await server.query('select chain, seq::int, hash from spillway.anchored', url)).toEqual([
      { chain: 'audit/b-1', seq: 2, hash: 'h2' },
    ]);
    await anchors.close();
  });

  it('are refused to a gateway of the older version that still runs', async () => {
    const url = await server.database();
    const store = await openPostgresStore({ url, onError: () => undefined });
    const b = aBurst();
    await store.commit(newId(), b.cluster, 1, [putBurst(b)]);
    await migrate(url, { ...migrations, '9001_more': statement('alter table bursts add column more text') });
    // The connections that it has are cut; with new ones it sees.
    await store.burst(b.id).catch(() => undefined);
    const refusal = await store.commit(newId(), b.cluster, 1, []).catch((e: unknown) => e);
    expect(faultOf(refusal)).toBe('refused');
    expect(String(refusal)).toContain('written by a newer Spillway (schema 9001_more;');
    await store.close();
  });

  it('go on where a process was killed in the midst, and run once though two processes come', async () => {
    const url = await server.database();
    const script = fileURLToPath(new URL('./migrate-child.ts', import.meta.url));
    const child = () =>
      spawn(process.execPath, ['--import', 'tsx', script, url], { stdio: ['ignore', 'pipe', 'inherit'] });
    const killed = child();
    const migrating = `select pid from pg_stat_activity where query like '%pg_sleep%' and application_name = 'spillway migrate'`;
    for (let at: unknown[] = []; at.length === 0; at = await server.query(migrating, url));
    killed.kill('SIGKILL');
    const others = [child(), child()];
    const said = await Promise.all(
      others.map(async (c) => {
        let out = '';
        c.stdout.on('data', (d) => {
          out += d;
        });
        await once(c, 'exit');
        return out.trim();
      }),
    );
    expect(said).toEqual(['migrated', 'migrated']);
    expect(await server.query('select count(*)::int as n from spillway.once', url)).toEqual([{ n: 1 }]);
  });

  it('refuse a database of a newer version, and say what to do', async () => {
    const url = await server.database();
    await migrate(url, { ...migrations, '9001_more': statement('create table more ()') });
    const refusal = await openPostgresStore({ url, onError: () => undefined }).catch((e: unknown) => e);
    expect(faultOf(refusal)).toBe('refused');
    expect(String(refusal)).toMatch(
      /written by a newer Spillway \(schema 9001_more; .*start that version again/,
    );
  });

  it('change all or nothing', async () => {
    const url = await server.database();
    const broken = {
      '9001_good': statement('create table good ()'),
      '9002_bad': statement('create tabel bad ()'),
    };
    await migrate(url);
    expect(faultOf(await migrate(url, { ...migrations, ...broken }).catch((e: unknown) => e))).toBe(
      'invalid',
    );
    expect(await names(url)).toEqual(Object.keys(migrations));
    expect(await server.query(`select to_regclass('spillway.good') as good`, url)).toEqual([{ good: null }]);
  });

  it('leave alone what else is in the database', async () => {
    const url = await server.database();
    await server.query(
      'create table public.kysely_migration (name text); create table public.bursts (x int)',
      url,
    );
    const store = await openPostgresStore({ url, onError: () => undefined });
    await store.ping();
    expect(await store.bursts({ limit: 1 })).toEqual([]);
    await store.close();
    expect(await server.query('select count(*)::int as n from public.kysely_migration', url)).toEqual([
      { n: 0 },
    ]);
  });

  it('say that the database cannot be reached', async () => {
    const away = openPostgresStore({ url: 'postgres://nobody@127.0.0.1:1/none', onError: () => undefined });
    expect(faultOf(await away.catch((e: unknown) => e))).toBe('unreachable');
  });
});
