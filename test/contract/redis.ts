import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';

export interface RedisServer {
  readonly url: string;
  /** Everything in it is gone. */
  empty(): Promise<void>;
  /** Dies of SIGKILL and comes back with nothing in it. */
  crash(): Promise<void>;
  /** Dies of SIGKILL; `crash` brings it back. */
  kill(): Promise<void>;
  stop(): Promise<void>;
}

/** A real redis-server of the test's own, on a free port, without a disk: Spillway needs nothing of it to last. */
export async function redisServer(): Promise<RedisServer> {
  installed('redis-server', 'redis-server');
  const dir = await mkdtemp(join(tmpdir(), 'spillway-redis-'));
  const port = await freePort();
  const url = `redis://127.0.0.1:${port}/3`;
  let server: ChildProcess | undefined;
  const start = async () => {
    const flags = [
      '--port',
      String(port),
      '--bind',
      '127.0.0.1',
      '--save',
      '',
      '--appendonly',
      'no',
      '--dir',
      dir,
    ];
    server = spawn('redis-server', flags, { stdio: 'ignore' });
    await answers(url);
  };
  const kill = async () => {
    const dying = server;
    server = undefined;
    if (dying === undefined || dying.exitCode !== null) return;
    const gone = new Promise((resolve) => dying.once('exit', resolve));
    dying.kill('SIGKILL');
    await gone;
  };
  await start();
  return {
    url,
    empty: () => ask(url, (client) => client.flushall()),
    kill,
    crash: async () => {
      await kill();
      await start();
    },
    stop: async () => {
      await kill();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

async function ask(url: string, work: (client: Redis) => Promise<unknown>): Promise<void> {
  const client = new Redis(url, { lazyConnect: true, retryStrategy: () => null });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await work(client);
  } finally {
    client.disconnect();
  }
}

async function answers(url: string): Promise<void> {
  for (const end = performance.now() + 10_000; ; ) {
    try {
      await ask(url, (client) => client.ping());
      return;
    } catch (e) {
      if (performance.now() > end) throw e;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/** Installs a program of Debian's where root may; says what to do where it may not. */
export function installed(program: string, of: string): void {
  if (spawnSync('which', [program]).status === 0) return;
  const got = spawnSync('apt-get', ['install', '-y', '--no-install-recommends', of], { encoding: 'utf8' });
  if (spawnSync('which', [program]).status !== 0)
    throw new Error(
      `${program} is needed: apt-get install ${of} (${got.stderr || got.error?.message || 'no reason'})`,
    );
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}
