/** A site's first ten minutes, as its administrator types them: init, serve, the first receipts, and all of it away again. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, it } from 'vitest';
import { type Scene, scene } from './init.scene.ts';

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
let here: Scene;
let gateway: ChildProcess | undefined;
afterEach(async () => {
  gateway?.kill('SIGKILL');
  await here.close();
});

const spillway = (...args: readonly string[]) =>
  new Promise<{ code: number; out: string }>((resolve) => {
    execFile(process.execPath, ['--import', 'tsx', main, ...args], (e, stdout, stderr) =>
      resolve({ code: typeof e?.code === 'number' ? e.code : 0, out: `${stdout}${stderr}` }),
    );
  });

/** Where its API listens, once it does. */
async function serve(config: string): Promise<string> {
  const child = spawn(process.execPath, ['--import', 'tsx', main, '-c', config, 'serve'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  gateway = child;
  for await (const line of createInterface({ input: child.stdout })) {
    const { msg, http } = JSON.parse(line) as { msg?: string; http?: string };
    if (msg === 'spillway serves' && http !== undefined) {
      child.stdout.resume();
      return `http://${http}`;
    }
  }
  throw new Error('the gateway ended before it served');
}

interface Told {
  readonly decisions: readonly { readonly job: string; readonly verdict: string; readonly text: string }[];
}

async function receipts(base: string): Promise<Told['decisions']> {
  for (let last: unknown; ; ) {
    try {
      const { decisions } = (await (await fetch(`${base}/api/v1/decisions`)).json()) as Told;
      if (decisions.length > 0) return decisions;
      last = decisions;
    } catch (e) {
      last = e;
    }
    if (gateway?.exitCode !== null) throw new Error('the gateway ended', { cause: last });
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

it('takes a strange Slurm from nothing to its first receipts, and leaves nothing', async () => {
  here = await scene();
  const ask = { partition: 'Genoa.384', exclusive: true, timeMs: 3_600_000, work: 'forever' } as const;
  const ids = Array.from({ length: 5 }, () => here.model.submit('alice', ask));
  const way = [
    '--host',
    '127.0.0.1',
    '--port',
    `${here.server.port}`,
    '--user',
    'watcher',
    '--key',
    here.key,
  ];
  const more = ['--host-key', here.server.hostKey, '--dir', here.dir, '--http', '127.0.0.1:0'];
  const began = await spillway('init', ...way, ...more);
  expect(began, began.out).toMatchObject({ code: 0 });
  const config = join(here.dir, 'spillway.yaml');
  const seen = await receipts(await serve(config));
  expect(ids).toContain(seen[0]?.job);
  expect(seen[0]?.text).toMatch(/\S/);
  // While it runs nothing is taken from under it.
  await expect(here.run(here.order({ undo: true, force: true }))).rejects.toThrow(/stop the gateway/);
  gateway?.kill('SIGTERM');
  if (gateway !== undefined) await once(gateway, 'exit');
  expect(here.model.truth().flatMap((job) => job.moves)).toEqual([]);
  const half = await here.run(here.order({ undo: true }));
  expect(half).toMatchObject({
    code: 1,
    said: expect.stringContaining('the store of a gateway with its receipts'),
  });
  expect(await spillway('init', '--undo', '--force', '--dir', here.dir)).toMatchObject({ code: 0 });
  expect(readdirSync(here.home)).toEqual(['key']);
}, 120_000);
