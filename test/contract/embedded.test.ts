import { type ChildProcess, spawn } from 'node:child_process';
import { chmod, chown, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type EmbeddedPostgres, startEmbedded } from '../../adapters/store/embedded.ts';
import { openPostgresStore } from '../../adapters/store/postgres.ts';
import { isAlive, runningOn, workingIn } from '../../adapters/store/postmaster.ts';
import { aBurst, newId, putBurst } from './samples.ts';
import { sleep, until } from './wake.contract.ts';

const script = fileURLToPath(new URL('./gateway-child.ts', import.meta.url));
const asRoot = process.getuid?.() === 0;

interface Up {
  readonly url: string;
  readonly adopted: boolean;
  readonly ms: number;
  readonly generation: string;
}

describe('the embedded Postgres', () => {
  let dataDir: string;
  const stops: (() => Promise<void>)[] = [];

  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'spillway-test-'));
  });
  afterEach(async () => {
    for (const stop of stops.splice(0)) await stop().catch(() => undefined);
    const left = await runningOn(join(dataDir, 'postgres', 'data'));
    if (left !== undefined) process.kill(left.pid, 'SIGQUIT');
    while (left !== undefined && (await isAlive(left.pid))) await sleep(10);
    await rm(dataDir, { recursive: true, force: true });
  });

  const data = () => join(dataDir, 'postgres', 'data');
  /** Server and children; a child that sees its server die may be gone before its turn comes. */
  const killAll = async (): Promise<void> => {
    for (const pid of await workingIn(data()))
      try {
        process.kill(pid, 'SIGKILL');
      } catch (e) {
        if ((e as NodeJS.ErrnoException).code !== 'ESRCH') throw e;
      }
  };
  const start = async (log: (line: string) => void = () => undefined): Promise<EmbeddedPostgres> => {
    const postgres = await startEmbedded({ dataDir, log });
    stops.push(() => postgres.stop());
    return postgres;
  };

  /** A gateway of its own process, up, or what it said instead. */
  async function gateway(
    args: string[] = [],
    account: { uid?: number; gid?: number } = {},
  ): Promise<{ child: ChildProcess; up: Up & { error?: string } }> {
    const child = spawn(process.execPath, ['--import', 'tsx', script, dataDir, ...args], {
      ...account,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    stops.push(async () => void child.kill('SIGKILL'));
    let out = '';
    child.stdout?.on('data', (d) => {
      out += d;
    });
    await until(() => out.includes('\n') || child.exitCode !== null, 60_000);
    return { child, up: JSON.parse(out) };
  }

  const ended = (child: ChildProcess) => until(() => child.exitCode !== null || child.signalCode !== null);

  it('starts, keeps what was written over a stop and a start, and leaves no process', async () => {
    const first = await start();
    const store = await openPostgresStore({ url: first.url, onError: () => undefined });
    const b = aBurst();
    await store.commit(newId(), b.cluster, 1, [putBurst(b)]);
    const generation = await store.generation();
    await store.close();
    await first.stop();
    expect(await workingIn(data())).toEqual([]);

    const again = await start();
    expect(again.adopted).toBe(false);
    const reopened = await openPostgresStore({ url: again.url, onError: () => undefined });
    expect(await reopened.burst(b.id)).toMatchObject({ id: b.id, rev: 1 });
    expect(await reopened.generation()).toBe(generation);
    await reopened.close();
  });

  it('is open to its own account alone: no port, a socket in a private directory, fsync on', async () => {
    const postgres = await start();
    const { mode } = await stat(join(dataDir, 'postgres'));
    expect(mode & 0o777).toBe(0o700);
    expect((await stat(join(dataDir, 'postgres', 'run'))).mode & 0o777).toBe(0o700);
    const { default: pg } = await import('pg');
    const client = new pg.Client({ connectionString: postgres.url });
    await client.connect();
    const setting = async (name: string) => (await client.query(`show ${name}`)).rows[0]?.[name];
    expect(await setting('listen_addresses')).toBe('');
    expect(await setting('fsync')).toBe('on');
    expect(await setting('synchronous_commit')).toBe('on');
    await client.end();
  });

  it('is taken over from a gateway that was killed while it wrote', async () => {
    const { child, up } = await gateway();
    expect(up.adopted).toBe(false);
    const server = await runningOn(data());
    await sleep(100);
    child.kill('SIGKILL');
    await ended(child);
    const started = performance.now();
    const postgres = await start();
    const store = await openPostgresStore({ url: postgres.url, onError: () => undefined });
    const ms = Math.round(performance.now() - started);
    console.log(`embedded Postgres: first start ${up.ms} ms (schema included), after kill -9 ${ms} ms`);
    expect(postgres.adopted).toBe(true);
    expect((await runningOn(data()))?.pid).toBe(server?.pid);
    expect(await store.generation()).toBe(up.generation);
    const [written] = await store.bursts({ limit: 1 });
    expect(await store.audit(written?.id ?? '')).toHaveLength(written?.rev ?? -1);
    await store.close();
    await postgres.stop();
    expect(await isAlive(server?.pid ?? 0)).toBe(false);
  });

  it('starts anew where gateway and Postgres were both killed', async () => {
    const { child, up } = await gateway();
    await sleep(100);
    child.kill('SIGKILL');
    await killAll();
    await ended(child);
    const started = performance.now();
    const postgres = await start();
    const store = await openPostgresStore({ url: postgres.url, onError: () => undefined });
    console.log(`embedded Postgres: after kill -9 of all ${Math.round(performance.now() - started)} ms`);
    expect(await store.generation()).toBe(up.generation);
    const [written] = await store.bursts({ limit: 1 });
    expect(await store.audit(written?.id ?? '')).toHaveLength(written?.rev ?? -1);
    await store.close();
  });

  it('refuses a second gateway on one data directory, which leaves the first alone', async () => {
    const first = await start();
    const { child, up } = await gateway(['once']);
    expect(up.error).toContain('is in use by another gateway (gateway, process ');
    await ended(child);
    const store = await openPostgresStore({ url: first.url, onError: () => undefined });
    await store.ping();
    await store.close();
  });

  it('is started once when two gateways come at the same moment to an empty directory', async () => {
    const both = await Promise.all([gateway(), gateway()]);
    const errors = both.map((g) => g.up.error);
    expect(errors.filter((e) => e === undefined)).toHaveLength(1);
    expect(errors.find((e) => e !== undefined)).toContain('in use by another gateway');
    expect(both.find((g) => g.up.error === undefined)?.child.exitCode).toBe(null);
  });

  it('is not misled by a pid file whose process is another by now', async () => {
    await (await start()).stop();
    const pid = join(data(), 'postmaster.pid');
    const lines = [
      process.pid,
      data(),
      Math.floor(Date.now() / 1000),
      5432,
      join(dataDir, 'postgres', 'run'),
      '',
      0,
      'ready',
    ];
    await writeFile(pid, `${lines.join('\n')}\n`);
    expect(await runningOn(data())).toBeUndefined();
    await (await start()).stop();
    expect(await isAlive(process.pid)).toBe(true);
  });

  it('begins again where a first start was killed in the midst of making the database', async () => {
    await (await start()).stop();
    await rm(join(dataDir, 'postgres', 'data'), { recursive: true });
    await mkdir(join(dataDir, 'postgres', 'new-4194305', 'base'), { recursive: true });
    await start();
    await expect(stat(join(dataDir, 'postgres', 'new-4194305'))).rejects.toThrow('ENOENT');
  });

  it('is started again when it dies under the gateway', async () => {
    const lines: string[] = [];
    const postgres = await start((line) => lines.push(line));
    const store = await openPostgresStore({ url: postgres.url, onError: () => undefined });
    await killAll();
    const died = performance.now();
    let back = false;
    while (!back && performance.now() - died < 20_000) {
      back = await store.ping().then(
        () => true,
        () => false,
      );
      await sleep(20);
    }
    console.log(`embedded Postgres: back ${Math.round(performance.now() - died)} ms after it was killed`);
    expect(back).toBe(true);
    expect(lines.join()).toContain('starting it again');
    await store.close();
  });

  it('works where the path of the data directory is too long for a socket', async () => {
    const short = dataDir;
    dataDir = join(short, 'a'.repeat(60), 'b'.repeat(60));
    await mkdir(dataDir, { recursive: true });
    await chmod(short, 0o711);
    await chmod(join(short, 'a'.repeat(60)), 0o711);
    try {
      const postgres = await start();
      const store = await openPostgresStore({ url: postgres.url, onError: () => undefined });
      await store.ping();
      await store.close();
      await postgres.stop();
      expect(postgres.url).not.toContain(encodeURIComponent(dataDir));
    } finally {
      dataDir = short;
    }
  });

  it('says what to do about a database of another Postgres', async () => {
    await (await start()).stop();
    await writeFile(join(data(), 'PG_VERSION'), '12\n');
    await expect(start()).rejects.toThrow(/is of Postgres 12, this is Postgres \d+: restore a backup/);
  });

  it.runIf(asRoot)(
    'runs as postgres under a gateway that is root, in a directory that only root may list',
    async () => {
      await chmod(dataDir, 0o700);
      await start();
      const pid = (await runningOn(data()))?.pid;
      expect(await readFile(`/proc/${pid}/status`, 'utf8')).not.toMatch(/^Uid:\s+0\s/m);
      expect((await stat(dataDir)).mode & 0o777).toBe(0o701);
    },
  );

  it.runIf(asRoot)('says what to do where postgres cannot come to the data directory', async () => {
    await chmod(dataDir, 0o700);
    const outer = dataDir;
    dataDir = join(outer, 'inner');
    try {
      await expect(start()).rejects.toThrow(`cannot enter ${dataDir}`);
    } finally {
      dataDir = outer;
    }
  });

  it.runIf(asRoot)('needs no root: an ordinary account starts, is killed, and takes over', async () => {
    const nobody = { uid: 65_534, gid: 65_534 };
    await chown(dataDir, nobody.uid, nobody.gid);
    const first = await gateway([], nobody);
    expect(first.up.error).toBeUndefined();
    first.child.kill('SIGKILL');
    await ended(first.child);
    const second = await gateway(['once'], nobody);
    expect(second.up).toMatchObject({ adopted: true, generation: first.up.generation });
    await ended(second.child);
    expect(await workingIn(data())).toEqual([]);
  });
});
