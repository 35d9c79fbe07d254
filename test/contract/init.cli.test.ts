/** A site's first ten minutes, as its administrator types them: init, serve, the first receipts, and all of it away again. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { type Scene, scene } from './init.scene.ts';
import { type Serving, serve, spillway } from './init.typed.ts';

let here: Scene;
let gateway: Serving | undefined;
afterEach(async () => {
  gateway?.kill();
  await here.close();
});

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
  gateway = await serve(join(here.dir, 'spillway.yaml'));
  const seen = await gateway.receipts();
  expect(ids).toContain(seen[0]?.job);
  expect(seen[0]?.text).toMatch(/\S/);
  // While it runs nothing is taken from under it.
  await expect(here.run(here.order({ undo: true, force: true }))).rejects.toThrow(/stop the gateway/);
  await gateway.stop();
  expect(here.model.truth().flatMap((job) => job.moves)).toEqual([]);
  const half = await here.run(here.order({ undo: true }));
  expect(half).toMatchObject({
    code: 1,
    said: expect.stringContaining('the store of a gateway with its receipts'),
  });
  expect(await spillway('init', '--undo', '--force', '--dir', here.dir)).toMatchObject({ code: 0 });
  expect(readdirSync(here.home)).toEqual(['key']);
}, 120_000);
