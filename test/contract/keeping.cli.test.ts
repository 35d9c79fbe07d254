import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PostgresAnchors } from '../../adapters/store/anchors.ts';
import { type EmbeddedPostgres, startEmbedded } from '../../adapters/store/embedded.ts';
import { openPostgresStore } from '../../adapters/store/postgres.ts';
import { FileWitness } from '../../adapters/store/witness.ts';
import { Anchors } from '../../src/engine/anchor.ts';
import type { StorePort } from '../../src/ports.ts';
import { never } from './audit.scene.ts';
import { aBurst, aCluster, aReceipt, newId, putBurst, putReceipt } from './samples.ts';

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const example = fileURLToPath(new URL('../../config/examples/small.yaml', import.meta.url));

/** The commands as an operator types them, beside a gateway that serves and without one. */
describe('spillway audit verify, backup and restore', () => {
  let home: string;
  let config: string;
  let postgres: EmbeddedPostgres | undefined;
  let store: StorePort;
  let loop: Anchors;
  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'spillway-cli-'));
    // As root, Postgres runs as another account.
    await chmod(home, 0o711);
    config = join(home, 'spillway.yaml');
    const text = await readFile(example, 'utf8');
    await writeFile(config, text.replace('/var/lib/spillway', join(home, 'data')));
  });
  afterAll(async () => {
    await stop();
    await rm(home, { recursive: true, force: true });
  });

  const spillway = (...args: readonly string[]) =>
    new Promise<{ code: number; out: string }>((resolve) => {
      const command = ['--import', 'tsx', main, '-c', config, ...args];
      execFile(process.execPath, command, (e, stdout, stderr) =>
        resolve({ code: typeof e?.code === 'number' ? e.code : 0, out: `${stdout}${stderr}` }),
      );
    });
  /** As far as its store goes, a gateway. */
  const serve = async () => {
    postgres = await startEmbedded({ dataDir: join(home, 'data'), log: () => undefined });
    const { url } = postgres;
    const onError = () => undefined;
    store = await openPostgresStore({ url, onError });
    loop = new Anchors({
      anchors: new PostgresAnchors({ url, onError }),
      witness: new FileWitness(join(home, 'data', 'audit')),
      retention: never,
      scheduler: { after: () => ({ cancel: () => undefined }) },
      log: () => undefined,
    });
    await loop.round();
  };
  const stop = async () => {
    await store?.close();
    await postgres?.stop();
    postgres = undefined;
  };
  const query = async (sql: string) => {
    const client = new pg.Client({
      connectionString: postgres?.url ?? '',
      options: '-c search_path=spillway',
    });
    await client.connect();
    await client.query(sql).finally(() => client.end());
  };

  it('say where there is no database', async () => {
    const { code, out } = await spillway('audit', 'verify');
    expect({ code, out }).toEqual({
      code: 1,
      out: `there is no database in ${join(home, 'data')}: is dataDir the one of the gateway?\n`,
    });
  });

  it('verify beside a gateway; what was tampered with makes exit code 1', async () => {
    await serve();
    const b = aBurst();
    await store.commit(newId(), b.cluster, 1, [putBurst(b), putReceipt(aReceipt(b))]);
    await loop.round();
    const good =
      /^all is as it was written: 2 chains, 2 rows, 1 anchors; the export vouches up to anchor 1 \(.*\)\n$/;
    expect(await spillway('audit', 'verify')).toEqual({ code: 0, out: expect.stringMatching(good) });
    await query(`update audit set why = 'forged'`);
    const bad = new RegExp(`^BAD {2}audit/${b.id}: number 1 was changed\n1 to look into: 2 chains`);
    const dir = join(home, 'data', 'audit');
    expect(await spillway('audit', 'verify', '--anchors', dir)).toEqual({
      code: 1,
      out: expect.stringMatching(bad),
    });
    await query(`update audit set why = 'test'`);
    await stop();
  });

  it('back up beside a gateway, restore without one; then the store recovers', async () => {
    await serve();
    const dir = join(home, 'backup');
    expect(await spillway('backup', dir)).toEqual({
      code: 0,
      out: expect.stringMatching(/^.*backup: the store as of 20.*Z, 1 bursts, \d+ rows, up to anchor 1\n$/),
    });
    const later = aBurst();
    await store.commit(newId(), later.cluster, 1, [putBurst(later)]);
    await loop.round();
    await stop();
    expect(await spillway('restore', dir, '--force')).toMatchObject({
      code: 0,
      out: expect.stringContaining('It is older than what was done with it.'),
    });
    await serve();
    expect(await store.bursts({ limit: 9 })).toHaveLength(1);
    expect(await store.burst(later.id)).toBeUndefined();
    expect((await store.recovering(aCluster()))?.why).toContain('the store has them up to 1');
  });
});
