import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { type EmbeddedPostgres, startEmbedded } from '../../adapters/store/embedded.ts';

export interface TestServer {
  readonly postgres: EmbeddedPostgres;
  readonly dataDir: string;
  /** The url of a new, empty database. */
  database(): Promise<string>;
  /** As the database's superuser, beside whatever is tested. */
  query(sql: string, url?: string): Promise<Record<string, unknown>[]>;
  stop(): Promise<void>;
}

/** A real Postgres of the test's own, in a directory of its own that goes with it. */
export async function testServer(): Promise<TestServer> {
  const dataDir = await mkdtemp(join(tmpdir(), 'spillway-test-'));
  const postgres = await startEmbedded({ dataDir, log: () => undefined });
  const query = async (sql: string, url = postgres.url) => {
    const client = new pg.Client({ connectionString: url });
    client.on('error', () => undefined);
    await client.connect();
    try {
      return (await client.query<Record<string, unknown>>(sql)).rows;
    } finally {
      await client.end().catch(() => undefined);
    }
  };
  return {
    postgres,
    dataDir,
    query,
    database: async () => {
      const name = `t${randomBytes(6).toString('hex')}`;
      await query(`create database ${name}`);
      return postgres.url.replace('/spillway?', `/${name}?`);
    },
    stop: async () => {
      await postgres.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
