import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type EmbeddedPostgres, startEmbedded } from '../../adapters/store/embedded.ts';
import { openPostgresStore } from '../../adapters/store/postgres.ts';
import { clusterName } from '../../src/domain/ids.ts';
import type { StorePort } from '../../src/ports.ts';

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const example = fileURLToPath(new URL('../../config/examples/small.yaml', import.meta.url));
const hpc1 = clusterName('hpc1');

/** A port that nobody listens on. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' ? (address?.port ?? 0) : 0;
}

/** The commands as an operator types them, where no gateway runs. */
describe('spillway stop, resume and why without a gateway', () => {
  let home: string;
  let config: string;
  let postgres: EmbeddedPostgres | undefined;
  let store: StorePort | undefined;
  let port: number;
  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'spillway-stop-'));
    // As root, Postgres runs as another account.
    await chmod(home, 0o711);
    config = join(home, 'spillway.yaml');
    port = await freePort();
    const text = (await readFile(example, 'utf8')).replace('/var/lib/spillway', join(home, 'data'));
    await writeFile(config, text.replace('127.0.0.1:8080', `127.0.0.1:${port}`));
  });
  afterAll(async () => {
    await away();
    await rm(home, { recursive: true, force: true });
  });
  const open = async (): Promise<StorePort> => {
    postgres = await startEmbedded({ dataDir: join(home, 'data'), log: () => undefined });
    store = await openPostgresStore({ url: postgres.url, onError: () => undefined });
    return store;
  };
  const away = async (): Promise<void> => {
    await store?.close();
    await postgres?.stop();
    [store, postgres] = [undefined, undefined];
  };
  const spillway = (...args: readonly string[]) =>
    new Promise<{ code: number; out: string }>((resolve) => {
      const command = ['--import', 'tsx', main, '-c', config, ...args];
      execFile(process.execPath, command, (e, stdout, stderr) =>
        resolve({ code: typeof e?.code === 'number' ? e.code : 0, out: `${stdout}${stderr}` }),
      );
    });

  it('why says that no gateway answers, and where it asked', async () => {
    const { code, out } = await spillway('why', '4711');
    expect(code).toBe(1);
    expect(out).toContain(`no gateway answers at 127.0.0.1:${port} (listen.http)`);
    expect(out).not.toContain('at async');
  });

  it('the switch is turned in the store itself, beside whoever uses it and where it must be started first', async () => {
    const used = await open();
    const stopped = await spillway('stop', '--reason', 'fire drill');
    expect(stopped).toMatchObject({ code: 0, out: expect.stringContaining('hpc1: bursting is stopped by ') });
    expect(stopped.out).toContain('the next one finds it so');
    expect(await used.stopped(hpc1)).toMatchObject({
      by: expect.stringContaining(`@${hostname()}`),
      why: 'fire drill',
    });
    await away();
    expect(await spillway('resume')).toMatchObject({
      code: 0,
      out: expect.stringContaining('hpc1: bursting goes on'),
    });
    const again = await open();
    expect(await again.stopped(hpc1)).toBeUndefined();
    expect((await again.audit('stop/hpc1')).map((r) => r.to)).toEqual(['stopped', 'resumed']);
    expect(await spillway('ramp', 'lift', '--by', 'alice', '--reason', 'all went well')).toMatchObject({
      code: 0,
      out: expect.stringMatching(/hpc1: the ramp was lifted by alice at .*: all went well\n.*finds it so/),
    });
    expect(await again.rampLifted(hpc1)).toMatchObject({ by: 'alice', why: 'all went well' });
    expect((await spillway('approve', '4711')).out).toContain('no gateway answers');
  }, 120_000);
});
