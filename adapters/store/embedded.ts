import { spawn } from 'node:child_process';
import { chmod, chown, mkdtemp, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { PortError } from '../../src/domain/fault.ts';
import { sqlState } from './faults.ts';
import { isAlive, type Postmaster, runningOn } from './postmaster.ts';
import { dbUser, type Home, plainEnv, settleIn } from './program.ts';

/**
 * The default store needs no server: a real Postgres in the data directory, reached by a Unix socket in a directory that only its
 * account may enter. It outlives a gateway that is killed, and the next one takes it over as it is. One gateway at a time uses a data directory: it holds an
 * advisory lock for as long as its connection lives, so a dead one never has to be cleared away.
 */
export interface EmbeddedPostgres {
  readonly url: string;
  /** Whether the server ran already, left by a gateway that was killed. */
  readonly adopted: boolean;
  stop(): Promise<void>;
}

export interface EmbeddedOptions {
  readonly dataDir: string;
  readonly log: (line: string) => void;
}

export const database = 'spillway';
const port = 5432;
/** The advisory lock of the gateway that owns this database. */
const ownerLock = 7_305_415_920;
const startWithinMs = 60_000;
/** Most bytes of a Unix socket's path, its end included, on Linux. [unix(7)] */
const longestPath = 100;

const settings = [
  'listen_addresses=',
  'unix_socket_permissions=0700',
  'max_connections=60',
  'shared_buffers=64MB',
  'max_wal_size=512MB',
  'jit=off',
  'log_checkpoints=off',
  'timezone=UTC',
  'log_timezone=UTC',
  'cluster_name=spillway',
];

export async function startEmbedded(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const keeper = new Keeper(await settleIn(options.dataDir), options.log);
  await keeper.ensure();
  return keeper;
}

class Keeper implements EmbeddedPostgres {
  private readonly home: Home;
  private readonly log: (line: string) => void;
  private readonly madeElsewhere: string[] = [];
  private socketDir = '';
  private owner: pg.Client | undefined;
  private stopping: Promise<void> | undefined;
  adopted = false;

  constructor(home: Home, log: (line: string) => void) {
    this.home = home;
    this.log = log;
  }

  get url(): string {
    return urlOf(this.socketDir, database);
  }

  /** A server that answers, and the lock on it. */
  async ensure(): Promise<void> {
    const deadline = performance.now() + startWithinMs;
    let spawned: { exited: boolean } | undefined;
    let starts = 0;
    this.adopted = true;
    for (;;) {
      const server = await runningOn(this.home.data);
      if (server !== undefined && (await this.enter(server))) return;
      if (server === undefined && (spawned === undefined || spawned.exited)) {
        // What is left of a server that was killed may be in the way for a moment.
        if (starts === 8) throw new PortError('transient', 'store.embedded', await this.whyNot());
        if (starts > 0) await pause(25 * 2 ** starts);
        starts++;
        this.adopted = false;
        spawned = await this.spawn();
      }
      if (performance.now() > deadline)
        throw new PortError(
          'transient',
          'store.embedded',
          `Postgres did not start within a minute; see ${this.home.log}`,
        );
      await pause(20);
    }
  }

  private async spawn(): Promise<{ exited: boolean }> {
    const { home } = this;
    const big = await stat(home.log).catch(() => undefined);
    if (big !== undefined && big.size > 10_000_000) await rename(home.log, `${home.log}.1`);
    const log = await open(home.log, 'a', 0o600);
    const socket = await this.socketRoom();
    const flags = [...settings, `unix_socket_directories="${socket}"`].flatMap((s) => ['-c', s]);
    const life = { exited: false };
    try {
      if (home.account.uid !== undefined) await chown(home.log, home.account.uid, home.account.gid ?? 0);
      // A session of its own: Ctrl-C at the terminal is for the gateway, which then stops Postgres in good order.
      const child = spawn(join(home.bin, 'postgres'), ['-D', home.data, '-p', String(port), ...flags], {
        ...home.account,
        cwd: home.root,
        env: plainEnv,
        detached: true,
        stdio: ['ignore', log.fd, log.fd],
      });
      child.on('error', (e) => {
        this.log(`postgres: ${e.message}`);
        life.exited = true;
      });
      child.on('exit', () => {
        life.exited = true;
      });
      child.unref();
    } finally {
      await log.close();
    }
    return life;
  }

  /**
   * A directory for the socket that only Postgres's account may enter; elsewhere if the data directory's path is too long. A new
   * one for each gateway, so that the lock file of a server that was killed is in nobody's way; the same one for as long as this
   * gateway lives, since its connections know no other.
   */
  private async socketRoom(): Promise<string> {
    if (this.socketDir !== '') {
      for (const name of await readdir(this.socketDir)) await rm(join(this.socketDir, name), { force: true });
      return this.socketDir;
    }
    const { socket, account } = this.home;
    const short = `${socket}/xxxxxx/.s.PGSQL.${port}.lock`.length <= longestPath;
    const made = await mkdtemp(short ? join(socket, '/') : join(tmpdir(), 'spillway-'));
    await chmod(made, 0o700);
    if (account.uid !== undefined) await chown(made, account.uid, account.gid ?? 0);
    if (!short) this.madeElsewhere.push(made);
    return made;
  }

  private async tidySockets(): Promise<void> {
    for (const name of await readdir(this.home.socket)) {
      const path = join(this.home.socket, name);
      if (path !== this.socketDir) await rm(path, { recursive: true, force: true });
    }
  }

  /** False while it starts up or shuts down. Throws if another gateway has it. */
  private async enter(server: Postmaster): Promise<boolean> {
    if (server.socketDir === '') return false;
    let client = await connect(server.socketDir, database);
    if (client === 'missing') {
      const admin = await connect(server.socketDir, 'postgres');
      if (typeof admin === 'string') return false;
      await admin.query(`create database ${database}`).catch((e) => {
        // Another gateway that starts at the same moment was first.
        if (!['42P04', '23505'].includes(sqlState(e) ?? '')) throw e;
      });
      await admin.end();
      client = await connect(server.socketDir, database);
    }
    if (typeof client === 'string') return false;
    const owner = client;
    try {
      await this.lock(owner);
    } catch (e) {
      await owner.end().catch(() => undefined);
      throw e;
    }
    if (this.socketDir !== '' && this.socketDir !== server.socketDir) {
      // Another gateway started it while it was down, and left: it must come back where our connections look for it.
      await owner.end().catch(() => undefined);
      await shutDown(server.pid);
      return false;
    }
    this.owner = owner;
    this.socketDir = server.socketDir;
    owner.once('end', () => this.lost(owner));
    await this.tidySockets();
    return true;
  }

  /** A gateway that was just killed lets go as soon as Postgres sees its connection end. */
  private async lock(owner: pg.Client): Promise<void> {
    const until = performance.now() + 3_000;
    for (;;) {
      const { rows } = await owner.query<{ got: boolean }>(
        `select pg_try_advisory_lock(${ownerLock}) as got`,
      );
      if (rows[0]?.got === true) return;
      if (performance.now() > until) break;
      await pause(50);
    }
    const holder = await owner.query<{ name: string }>(
      `select a.application_name as name from pg_locks l join pg_stat_activity a using (pid)
       where l.locktype = 'advisory' and l.granted and (l.classid::bigint << 32 | l.objid::bigint) = ${ownerLock}`,
    );
    throw new PortError(
      'conflict',
      'store.embedded',
      `${this.home.root} is in use by another gateway (${holder.rows[0]?.name ?? 'unknown'}): stop that one first, ` +
        'or give each a dataDir of its own; several gateways on one store need a Postgres server (store.url)',
    );
  }

  /** The server went away under us: back with it, for as long as we are not stopping. */
  private lost(owner: pg.Client): void {
    if (this.owner !== owner || this.stopping !== undefined) return;
    this.owner = undefined;
    this.log('postgres: the server went away, starting it again');
    void this.recover();
  }

  private async recover(): Promise<void> {
    for (let wait = 250; this.stopping === undefined; wait = Math.min(5_000, wait * 2)) {
      try {
        await this.ensure();
        this.log('postgres: the server is back');
        if (this.stopping !== undefined) await this.halt();
        return;
      } catch (e) {
        this.log(`postgres: ${e instanceof Error ? e.message : String(e)}`);
        await pause(wait);
      }
    }
  }

  stop(): Promise<void> {
    this.stopping ??= this.halt();
    return this.stopping;
  }

  private async halt(): Promise<void> {
    const server = await runningOn(this.home.data);
    // What we do not own, another gateway may be using.
    const owned = this.owner !== undefined;
    await this.owner?.end().catch(() => undefined);
    this.owner = undefined;
    if (server !== undefined && owned) await shutDown(server.pid);
    for (const dir of this.madeElsewhere) await rm(dir, { recursive: true, force: true });
  }

  private async whyNot(): Promise<string> {
    const log = await readFile(this.home.log, 'utf8').catch(() => '');
    const last = log.trim().split('\n').slice(-3).join(' | ');
    return `Postgres does not start: ${last}; all of it is in ${this.home.log}`;
  }
}

export function urlOf(socketDir: string, name: string): string {
  return `postgres://${dbUser}@localhost:${port}/${name}?host=${encodeURIComponent(socketDir)}`;
}

async function connect(socketDir: string, name: string): Promise<pg.Client | 'missing' | 'not yet'> {
  const client = new pg.Client({
    connectionString: urlOf(socketDir, name),
    application_name: `gateway, process ${process.pid}`,
    connectionTimeoutMillis: 5_000,
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return client;
  } catch (e) {
    await client.end().catch(() => undefined);
    return sqlState(e) === '3D000' ? 'missing' : 'not yet';
  }
}

/** Fast shutdown: connections are cut, what is committed is flushed; then the immediate one, which recovers at the next start. */
async function shutDown(pid: number): Promise<void> {
  for (const [signal, withinMs] of [
    ['SIGINT', 20_000],
    ['SIGQUIT', 5_000],
  ] as const) {
    try {
      process.kill(pid, signal);
    } catch {
      return;
    }
    const until = performance.now() + withinMs;
    while (performance.now() < until) {
      if (!(await isAlive(pid))) return;
      await pause(20);
    }
  }
  throw new PortError('transient', 'store.embedded', `Postgres (process ${pid}) does not end`);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
