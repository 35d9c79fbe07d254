/** The stores and queues that a bench runs on: real ones, of its own, in a directory that it removes. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { chmod, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openBullWake } from '../adapters/queue/bull.ts';
import { startEmbedded } from '../adapters/store/embedded.ts';
import { openPostgresStore } from '../adapters/store/postgres.ts';
import type { StorePort, WakePort } from '../src/ports.ts';
import { MemStore } from '../src/sim/models/store.ts';
import { MemWake } from '../src/sim/models/wake.ts';
import { deps } from './deps.ts';
import { redisVersion } from './machine.ts';

export type Backing = 'embedded' | 'redis' | 'memory';
export const backings: readonly Backing[] = ['embedded', 'redis', 'memory'];
export const inWords: Readonly<Record<Backing, string>> = {
  embedded: 'embedded Postgres, BullMQ on it',
  redis: 'embedded Postgres, BullMQ on Redis',
  memory: 'store and queue in memory',
};

export interface Backends {
  readonly store: StorePort;
  readonly wake: WakePort;
  /** Undefined without a database. */
  readonly url: string | undefined;
  /** What the servers have used so far. */
  serversCpuMs(): number;
  /** The queue must be closed by then: the gateway that uses it does so. */
  close(): Promise<void>;
}

/** A backing that cannot be had, and why. */
export class Missing extends Error {}

export async function open(backing: Backing): Promise<Backends> {
  const onError = (what: string, e: unknown): void => console.error(`${what}: ${String(e)}`);
  if (backing === 'memory')
    return {
      store: new MemStore(deps),
      wake: new MemWake({ ...deps, onError }),
      url: undefined,
      serversCpuMs: () => 0,
      close: async () => {},
    };
  if (backing === 'redis' && redisVersion() === undefined)
    throw new Missing('needs redis-server on PATH: apt-get install redis-server');
  const dir = await mkdtemp(join(tmpdir(), 'spillway-bench-'));
  // Where root runs this, its Postgres runs as another and must pass through.
  await chmod(dir, 0o711);
  const undo: (() => Promise<void>)[] = [() => rm(dir, { recursive: true, force: true })];
  const close = async (): Promise<void> => {
    for (const one of undo.splice(0).reverse()) await one();
  };
  try {
    const postgres = await startEmbedded({ dataDir: join(dir, 'data'), log: () => undefined });
    undo.push(() => postgres.stop());
    const store = await openPostgresStore({ url: postgres.url, onError: (e) => onError('store', e) });
    undo.push(() => store.close());
    const servers = [await postmasterIn(dir)];
    let url = postgres.url;
    if (backing === 'redis') {
      const redis = await startRedis(dir);
      undo.push(() => redis.stop());
      url = redis.url;
      servers.push(redis.pid);
    }
    const wake = await openBullWake({ url, onError });
    return { store, wake, url: postgres.url, serversCpuMs: () => cpuMsOf(servers), close };
  } catch (e) {
    await close();
    throw e;
  }
}

async function startRedis(dir: string): Promise<{
  readonly url: string;
  readonly pid: number;
  stop(): Promise<void>;
}> {
  const port = await freePort();
  const flags = { port, bind: '127.0.0.1', save: '', appendonly: 'no', dir };
  const args = Object.entries(flags).flatMap(([k, v]) => [`--${k}`, `${v}`]);
  const server = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'inherit'] });
  await ready(server);
  return {
    url: `redis://127.0.0.1:${port}/0`,
    pid: server.pid ?? 0,
    stop: async () => {
      const gone = new Promise((resolve) => server.once('exit', resolve));
      server.kill('SIGTERM');
      await gone;
    },
  };
}

function ready(server: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.once('exit', (code) => reject(new Error(`redis-server ended at once (${code})`)));
    server.stdout?.on('data', (text: Buffer) => {
      if (/ready to accept connections/i.test(text.toString())) resolve();
    });
  });
}

async function postmasterIn(dir: string): Promise<number> {
  const paths = await readdir(dir, { recursive: true });
  const path = paths.find((p) => p.endsWith('postmaster.pid'));
  if (path === undefined) throw new Error(`no postmaster.pid under ${dir}`);
  return Number.parseInt(await readFile(join(dir, path), 'utf8'), 10);
}

const msPerTick = 10;

/** Of these processes and their children, those that have ended included. [proc_pid_stat(5)] */
function cpuMsOf(servers: readonly number[]): number {
  let ticks = 0;
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    let text: string;
    try {
      text = readFileSync(`/proc/${name}/stat`, 'utf8');
    } catch {
      continue;
    }
    const fields = text
      .slice(text.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
    const [, parent = 0, , , , , , , , , , user = 0, system = 0, ended = 0, endedSystem = 0] = fields;
    if (servers.includes(Number(name))) ticks += user + system + ended + endedSystem;
    else if (servers.includes(parent)) ticks += user + system;
  }
  return ticks * msPerTick;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}
