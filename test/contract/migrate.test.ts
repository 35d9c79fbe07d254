import type { Migration } from 'kysely';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { migrate, migrations } from '../../adapters/store/migrate.ts';
import { openPostgresStore } from '../../adapters/store/postgres.ts';
import { faultOf } from '../../src/domain/fault.ts';
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

  it('go forward and keep what is there', async () => {
    const url = await server.database();
    const store = await openPostgresStore({ url, onError: () => undefined });
    const b = aBurst();
    await store.commit(newId(), b.cluster, 1, [putBurst(b)]);
    await migrate(url, { ...migrations, '9001_more': statement('alter table bursts add column more text') });
    expect(await store.burst(b.id)).toMatchObject({ rev: 1 });
    await store.close();
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
