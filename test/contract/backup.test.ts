import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { backUp } from '../../adapters/store/backup.ts';
import { migrateTo, migrations } from '../../adapters/store/migrate.ts';
import { openPostgresStore } from '../../adapters/store/postgres.ts';
import { restore } from '../../adapters/store/restore.ts';
import type { Burst } from '../../src/domain/burst.ts';
import { faultOf } from '../../src/domain/fault.ts';
import type { StorePort } from '../../src/ports.ts';
import { type Scene, scene } from './audit.scene.ts';
import { type TestServer, testServer } from './embedded.ts';
import {
  aBurst,
  aCluster,
  aFullBurst,
  aFullInstance,
  anIntent,
  aReceipt,
  newId,
  putBurst,
  putInstance,
  putIntent,
  putReceipt,
} from './samples.ts';

describe('backup and restore', () => {
  let server: TestServer;
  let s: Scene;
  let home: string;
  let dir: string;
  beforeAll(async () => {
    server = await testServer();
  });
  afterAll(() => server?.stop());
  beforeEach(async () => {
    s = await scene(server);
    home = await mkdtemp(join(tmpdir(), 'spillway-backup-'));
    dir = join(home, 'one');
  });
  afterEach(async () => {
    await s?.close();
    await rm(home, { recursive: true, force: true });
  });

  const open = (url: string): Promise<StorePort> => openPostgresStore({ url, onError: () => undefined });
  const rowsIn = (url: string, table: string) =>
    server.query(`select * from spillway.${table} t order by t::text`, url);
  const untransacted = (rows: readonly Record<string, unknown>[]) => rows.map(({ xid: _, ...row }) => row);
  const refusalOf = (work: Promise<unknown>) =>
    work.then(
      () => 'none',
      (e: unknown) => `${faultOf(e)}: ${e instanceof Error ? e.message : e}`,
    );

  it('brings everything back as it was, whatever is in it', async () => {
    const { bursts } = await s.live();
    const odd = aFullBurst({ name: 'two\nlines \u2028 and \u2029, "quoted" \\ 🚀', dropped: 2 ** 53 - 1 });
    await s.store.commit(newId(), odd.cluster, 1, [
      putBurst(odd),
      putInstance(aFullInstance()),
      putReceipt(aReceipt(odd)),
      putIntent(anIntent(odd)),
    ]);
    const first = bursts[0] ?? odd;
    const [receipt] = await s.store.receipts(first.cluster, first.ref, 1);
    await s.store.seenAgain(
      new Map(receipt === undefined ? [] : [[receipt.id, { times: 1, last: receipt.at }]]),
    );
    const made = await backUp(s.url, dir);
    expect(made).toMatchObject({
      generation: await s.store.generation(),
      anchor: 6,
      schema: Object.keys(migrations),
    });

    const url = await server.database();
    await restore({ url, dir, force: false });
    const tables = Object.keys(made.tables);
    expect(tables).toEqual(
      expect.arrayContaining(['bursts', 'audit', 'receipts', 'anchored', 'ledger', 'seen_again']),
    );
    for (const table of tables.filter((t) => t !== 'meta' && t !== 'leases' && t !== 'audit'))
      expect({ table, rows: await rowsIn(url, table) }).toEqual({ table, rows: await rowsIn(s.url, table) });
    // A transaction's number is the server's: what was restored comes before what is done from now on.
    const rows = async (of: string) => untransacted(await rowsIn(of, 'audit'));
    expect(await rows(url)).toEqual(await rows(s.url));
    const restored = await open(url);
    expect(await restored.burst(odd.id)).toEqual({ ...odd, rev: 1 });
    await restored.close();
  });

  it('shows one moment, while sixteen writers write, and leaves nothing out that was answered before', async () => {
    const cluster = aCluster();
    const pairs = Array.from({ length: 16 }, () => [aBurst({ cluster }), aBurst({ cluster })] as const);
    const both = (pair: readonly [Burst, Burst], i: number) =>
      pair.flatMap((b) => [putBurst({ ...b, rev: i, dropped: i }), putReceipt(aReceipt(b))]);
    let writing = true;
    const answered = new Map<string, number>();
    const writers = pairs.map(async (pair) => {
      for (let i = 0; writing; i++) {
        expect(await s.store.commit(newId(), cluster, 1, both(pair, i))).toBe('ok');
        answered.set(pair[0].id, i + 1);
      }
    });
    while (answered.size < 16) await s.store.ping();
    const before = new Map(answered);
    await backUp(s.url, dir);
    writing = false;
    await Promise.all(writers);

    const url = await server.database();
    await restore({ url, dir, force: false });
    const restored = await open(url);
    for (const [a, b] of pairs) {
      const [x, y] = [await restored.burst(a.id), await restored.burst(b.id)];
      expect(x?.rev).toBe(y?.rev);
      expect(x?.rev ?? 0).toBeGreaterThanOrEqual(before.get(a.id) ?? 0);
      for (const burst of [a, b]) {
        const rows = await restored.audit(burst.id);
        expect(rows).toEqual((await s.store.audit(burst.id)).slice(0, x?.rev));
        expect(await restored.receipts(cluster, burst.ref, 1e6)).toHaveLength(x?.rev ?? 0);
      }
    }
    await restored.close();
  });

  it('recovers afterwards, with a new generation, epochs above, and numbers that go on', async () => {
    const cluster = aCluster();
    const { bursts } = await s.live();
    const [b] = bursts;
    const epoch = (await s.store.lease(cluster, 'a', 1))?.epoch ?? 0;
    await backUp(s.url, dir);
    const url = await server.database();
    await restore({ url, dir, force: false });
    const restored = await open(url);
    expect(await restored.generation()).not.toBe(await s.store.generation());
    expect((await restored.recovering(cluster))?.why).toMatch(/^a backup of 20.*Z was restored$/);
    const lease = await restored.lease(cluster, 'b', 60_000);
    expect(lease?.epoch ?? 0).toBeGreaterThan(epoch);
    const after = aReceipt(aBurst({ cluster }));
    expect(await restored.commit(newId(), cluster, lease?.epoch ?? 0, [putReceipt(after)])).toBe('ok');
    expect(await restored.receipts(cluster, after.ref, 1)).toEqual([after]);
    // The same that Postgres itself would tell by moving is not told twice.
    const generation = await restored.generation();
    const second = await open(url);
    expect(await second.generation()).toBe(generation);
    expect(await second.burst(b?.id ?? aBurst().id)).toBeDefined();
    await second.close();
    await restored.close();
  });

  it('verifies after a restore, and says what the export knows beyond it', async () => {
    await s.live();
    await backUp(s.url, dir);
    await s.live();
    await s.store.close();
    await restore({ url: s.url, dir, force: true });
    await s.loop.round();
    const { faults, notes } = await s.verify();
    expect(faults).toEqual([]);
    expect(notes).toEqual([
      expect.stringMatching(
        /^anchors 7 to 12 .*: exported, and not in the store: it was set back, and says so$/,
      ),
    ]);
  });

  it('does not replace a store that holds something, unless told to, and then all of it', async () => {
    await s.live();
    await backUp(s.url, dir);
    const other = aBurst();
    await s.store.commit(newId(), other.cluster, 1, [putBurst(other)]);
    expect(await refusalOf(restore({ url: s.url, dir, force: false }))).toBe(
      'refused: the store holds 4 bursts and 6 receipts: --force puts the backup in their place',
    );
    expect(await s.store.burst(other.id)).toBeDefined();
    await restore({ url: s.url, dir, force: true });
    expect(await s.store.burst(other.id)).toBeUndefined();
    expect(await s.store.bursts({ limit: 9 })).toHaveLength(3);
    expect(
      await server.query(`select nspname from pg_namespace where nspname like 'spillway%'`, s.url),
    ).toEqual([{ nspname: 'spillway' }]);
  });

  it('does not replace a store that a gateway leads with', async () => {
    await backUp(s.url, dir);
    const cluster = aCluster();
    await s.store.lease(cluster, 'gw-1', 60_000);
    expect(await refusalOf(restore({ url: s.url, dir, force: true }))).toContain(
      `refused: a gateway leads ${cluster} (gw-1): stop every gateway`,
    );
  });

  it('writes only into an empty directory, and refuses what is no whole backup, before it touches anything', async () => {
    const { bursts } = await s.live();
    await backUp(s.url, dir);
    expect(await refusalOf(backUp(s.url, dir))).toContain(
      'is not empty: write each backup into a directory of its own',
    );
    const force = (from: string) => refusalOf(restore({ url: s.url, dir: from, force: true }));
    expect(await force(join(home, 'nowhere'))).toContain('holds no whole backup (no manifest.json)');

    const manifest = await readFile(join(dir, 'manifest.json'), 'utf8');
    const audit = join(dir, 'audit.jsonl.gz');
    const good = await readFile(audit);
    const tamperings: readonly (readonly [string, () => Promise<void>])[] = [
      ['damaged', () => writeFile(audit, good.subarray(0, good.length - 30))],
      [
        'damaged',
        () => writeFile(audit, gzipSync(gunzipSync(good).toString().replace('"why":"test"', '"why":"best"'))),
      ],
      [
        'damaged',
        () => writeFile(audit, gzipSync(gunzipSync(good).toString().split('\n').slice(1).join('\n'))),
      ],
      ['damaged', () => rm(audit)],
      [
        'schema 9999_later',
        () => writeFile(join(dir, 'manifest.json'), manifest.replace('0001_start', '9999_later')),
      ],
      [
        'cannot be read',
        () => writeFile(join(dir, 'manifest.json'), manifest.replace('"format": 1', '"format": 2')),
      ],
      ['cannot be read', () => writeFile(join(dir, 'manifest.json'), manifest.slice(0, 50))],
    ];
    for (const [words, tamper] of tamperings) {
      await tamper();
      expect(await force(dir)).toContain(words);
      await writeFile(audit, good);
      await writeFile(join(dir, 'manifest.json'), manifest);
    }
    expect(await s.store.burst(bursts[0]?.id ?? aBurst().id)).toBeDefined();
    expect((await s.verify()).faults).toEqual([]);
    expect(await force(dir)).toBe('none');
  });

  it('takes a backup of an older version, and brings it up to this one', async () => {
    const old = await server.database();
    await migrateTo(old, { upTo: '0001_start' });
    await server.query(
      `insert into spillway.audit values ('b-1', 1, 5, null, 'proposed', 'w', 'd', 'p', 'h1');
       insert into spillway.leases values ('hpc1', 'gw', 7, 0)`,
      old,
    );
    await backUp(old, dir);
    const url = await server.database();
    await restore({ url, dir, force: false });
    const restored = await open(url);
    expect(await restored.audit('b-1')).toHaveLength(1);
    expect((await restored.recovering(aCluster()))?.why).toContain('was restored');
    expect(await server.query('select chain from spillway.unanchored', url)).toEqual([
      { chain: 'audit/b-1' },
    ]);
    await restored.close();
  });

  it('leaves out the queue, and lets nobody else read it', async () => {
    const { tables } = await backUp(s.url, dir);
    expect(Object.keys(tables).filter((t) => /wake|kysely/.test(t))).toEqual([]);
    for (const name of await readdir(dir)) expect((await stat(join(dir, name))).mode & 0o077).toBe(0);
  });
});
