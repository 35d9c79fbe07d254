import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer } from 'node:net';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type EmbeddedPostgres, startEmbedded } from '../../adapters/store/embedded.ts';
import { openPostgresStore } from '../../adapters/store/postgres.ts';
import { CommandError } from '../../src/cli/ask.ts';
import { clusterName } from '../../src/domain/ids.ts';
import { turn, turnTheCapacity, turnTheRamp } from '../../src/main/switches.ts';
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

  describe('beside a gateway that is no help', () => {
    const order = { stopped: true, by: 'alice', reason: 'now' };
    let answer: ((req: IncomingMessage, res: ServerResponse) => void) | undefined;
    let server: Server;
    beforeAll(async () => {
      if (store === undefined) await open();
      server = createHttpServer((req, res) => answer?.(req, res)).listen(port, '127.0.0.1');
      await new Promise((resolve) => server.once('listening', resolve));
    }, 60_000);
    beforeEach(async () => {
      vi.stubEnv('SPILLWAY_LOGIN_SOCKET', '');
      for (const name of ['SPILLWAY_URL', 'SPILLWAY_TOKEN', 'SPILLWAY_TOKEN_FILE'])
        vi.stubEnv(name, undefined);
      answer = undefined;
      await store?.resume(hpc1, 'bob', '');
    });
    afterEach(() => vi.unstubAllEnvs());
    afterAll(() => {
      server.close();
      server.closeAllConnections();
    });
    const problem = (status: number) => {
      answer = (_req, res) => {
        const body = { title: 'No', detail: 'so it is' };
        res.writeHead(status, { 'content-type': 'application/problem+json' }).end(JSON.stringify(body));
      };
    };

    it('one that takes the order and says nothing: it is in the store, and may have been heard', async () => {
      const { views, by, note } = await turn(config, order, 200);
      expect([views, by]).toMatchObject([[{ cluster: 'hpc1', stopped: true, by: 'alice' }], 'store']);
      expect(note).toMatch(/no answer within 0\.2 s.*\n.*may have heard it as well/);
      // Said again, it stands as it was said first, in one row of the audit.
      await turn(config, { ...order, by: 'carol' }, 200);
      expect(await store?.stopped(hpc1)).toMatchObject({ by: 'alice', why: 'now' });
      expect((await store?.audit('stop/hpc1'))?.slice(-2).map((r) => r.to)).toEqual(['resumed', 'stopped']);
    });

    it('its ramp and its node groups likewise', async () => {
      const lifted = await turnTheRamp(config, { lifted: false, by: 'alice', reason: '' }, 200);
      expect(lifted).toMatchObject({ by: 'store', views: [{ cluster: 'hpc1' }] });
      const drain = { drained: true, by: 'alice', reason: 'a new image' };
      const drained = await turnTheCapacity(config, drain, 200);
      expect(drained.views.length).toBeGreaterThan(0);
      expect(drained.views.every((v) => v.drained && v.by === 'alice')).toBe(true);
      const none = turnTheCapacity(config, { ...drain, group: 'nowhere' }, 200);
      await expect(none).rejects.toThrow(/there is no node group nowhere/);
      await turnTheCapacity(config, { ...drain, drained: false }, 200);
    });

    it.each([
      [401, /asks who you are.*\n.*finds it so/],
      [503, /answers 503.*\n.*may have heard it as well/],
    ])('one that answers %i: who may have its store needs no token', async (status, words) => {
      problem(status);
      expect((await turn(config, order)).note).toMatch(words);
      expect(await store?.stopped(hpc1)).toMatchObject({ by: 'alice' });
    });

    it('one that understands and refuses is not gone round', async () => {
      problem(403);
      await expect(turn(config, order)).rejects.toThrow('the gateway answers 403');
      expect(await store?.stopped(hpc1)).toBeUndefined();
    });

    it('with SPILLWAY_URL alone it is asked as by every other command, and where there is no store, that is said', async () => {
      vi.stubEnv('SPILLWAY_URL', `http://127.0.0.1:${port}`);
      vi.stubEnv('SPILLWAY_TOKEN', 'spt_a');
      answer = (req, res) => {
        const stopped = req.headers.authorization === 'Bearer spt_a';
        res.writeHead(200, { 'content-type': 'application/json' });
        res.end(JSON.stringify({ clusters: [{ cluster: 'far', stopped }] }));
      };
      const nowhere = join(home, 'none.yaml');
      expect(await turn(nowhere, order)).toEqual({
        ...{ by: 'gateway', views: [{ cluster: 'far', stopped: true }] },
      });
      answer = undefined;
      const failed = turn(nowhere, order, 200);
      await expect(failed).rejects.toThrow(CommandError);
      const words = ['no answer within 0.2 s', 'could not be written from here', 'none.yaml'];
      for (const word of [...words, "on the gateway's host", 'may have been done'])
        await expect(failed).rejects.toThrow(word);
    });
  });
});
