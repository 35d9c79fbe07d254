import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chown, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { freePort, installed } from './redis.ts';

const run = promisify(execFile);

export interface PostgresServer {
  /** The url of a new database that an ordinary role owns, by TCP and password, as a site's own server is reached. */
  database(): Promise<string>;
  /** As superuser; in the database of `url`, or in `postgres`. */
  query(sql: string, url?: string): Promise<Record<string, unknown>[]>;
  /** SIGKILL of the server itself: no goodbye, no checkpoint. */
  kill(): Promise<void>;
  start(): Promise<void>;
  readonly port: number;
  readonly dataDir: string;
  /** Runs one of this Postgres's programs as its account. */
  program(name: string, args: readonly string[]): Promise<string>;
  stop(): Promise<void>;
}

/** Debian's Postgres, the newest there is, as an ordinary account in a directory of its own. */
export async function postgresServer(from?: {
  /** Fills the data directory, in place of initdb. */
  readonly fill: (server: PostgresServer) => Promise<void>;
}): Promise<PostgresServer> {
  installed('pg_lsclusters', 'postgresql');
  const versions = await readdir('/usr/lib/postgresql');
  const newest = versions.map(Number).sort((a, b) => b - a)[0];
  const bin = `/usr/lib/postgresql/${newest}/bin`;
  const account = await ids('postgres');
  const home = await mkdtemp(join(tmpdir(), 'spillway-pg-'));
  await chown(home, account.uid, account.gid);
  const dataDir = join(home, 'data');
  const port = await freePort();
  const admin = (name: string) => `postgres://admin:secret@127.0.0.1:${port}/${name}`;
  let child: ChildProcess | undefined;
  let databases = 0;

  const server: PostgresServer = {
    port,
    dataDir,
    program: async (name, args) => (await run(join(bin, name), args, { ...account, cwd: home })).stdout,
    query: async (sql, url) => {
      const name = url === undefined ? 'postgres' : new URL(url).pathname.slice(1);
      const client = new pg.Client({ connectionString: admin(name), connectionTimeoutMillis: 5_000 });
      client.on('error', () => undefined);
      await client.connect();
      try {
        return (await client.query<Record<string, unknown>>(sql)).rows;
      } finally {
        await client.end().catch(() => undefined);
      }
    },
    database: async () => {
      const name = `t${++databases}_${randomBytes(3).toString('hex')}`;
      await server.query(`create database ${name} owner joe`);
      return `postgres://joe:secret@127.0.0.1:${port}/${name}`;
    },
    start: async () => {
      const flags = [
        '-D',
        dataDir,
        '-p',
        String(port),
        '-k',
        home,
        '-c',
        'fsync=on',
        '-c',
        'max_connections=100',
      ];
      child = spawn(join(bin, 'postgres'), flags, { ...account, cwd: home, stdio: 'ignore' });
      for (const end = performance.now() + 30_000; ; ) {
        try {
          await server.query('select 1');
          return;
        } catch (e) {
          if (performance.now() > end || child.exitCode !== null) throw e;
          await pause(20);
        }
      }
    },
    kill: () => end('SIGKILL'),
    stop: async () => {
      await end('SIGINT');
      await rm(home, { recursive: true, force: true });
    },
  };

  const end = async (signal: NodeJS.Signals) => {
    const dying = child;
    child = undefined;
    if (dying?.pid === undefined || dying.exitCode !== null || dying.signalCode !== null) return;
    const gone = new Promise((resolve) => dying.once('exit', resolve));
    const children = await childrenOf(dying.pid);
    dying.kill(signal);
    await gone;
    // Orphaned backends end by themselves when they see that the postmaster is gone; a new one does not start before.
    while ((await Promise.all(children.map(alive))).includes(true)) await pause(10);
  };

  if (from !== undefined) await from.fill(server);
  else {
    const password = join(home, 'password');
    await writeFile(password, 'secret');
    await chown(password, account.uid, account.gid);
    await server.program('initdb', [
      '-D',
      dataDir,
      '-U',
      'admin',
      '-A',
      'scram-sha-256',
      '--pwfile',
      password,
    ]);
  }
  await server.start();
  if (from === undefined) await server.query(`create role joe login password 'secret'`);
  return server;
}

async function ids(name: string): Promise<{ uid: number; gid: number }> {
  const [uid, gid] = await Promise.all([run('id', ['-u', name]), run('id', ['-g', name])]);
  return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
}

async function childrenOf(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  return text.split(' ').filter(Boolean).map(Number);
}

async function alive(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return stat !== '' && !/^\d+ \(.*\) [ZX] /s.test(stat);
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
