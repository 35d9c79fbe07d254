/** A real S3 server (versitygw on files), through the same adapter: what the model only claims of S3 is held against it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { s3Objects } from '../../adapters/objects/s3/index.ts';
import { ensureTools } from '../../lab/real/build.ts';
import { dirs } from '../../lab/real/paths.ts';
import { realTime } from './cloud.harness.ts';
import { objectsContract } from './objects.contract.ts';
import { keys, overHttp, s3Config } from './objects.harness.ts';
import { freePort } from './redis.ts';

objectsContract('a real S3 server', async () => {
  await ensureTools(() => undefined, ['objects']);
  const dir = await mkdtemp(join(tmpdir(), 'spillway-objects-'));
  const at = `127.0.0.1:${await freePort()}`;
  const config = s3Config(`http://${at}`);
  await mkdir(join(dir, 'root', config.bucket), { recursive: true });
  await mkdir(join(dir, 'sidecar'));
  let server: ChildProcess | undefined;

  async function up(): Promise<void> {
    server = spawn(
      `${dirs.bin}/versitygw`,
      [
        '--port',
        at,
        '--region',
        keys.region,
        '--quiet',
        'posix',
        '--sidecar',
        join(dir, 'sidecar'),
        join(dir, 'root'),
      ],
      {
        env: { ...process.env, ROOT_ACCESS_KEY: keys.accessKeyId, ROOT_SECRET_KEY: keys.secretAccessKey },
        stdio: 'ignore',
      },
    );
    for (const end = performance.now() + 20_000; ; await sleep(50)) {
      const answers = await fetch(config.endpoint ?? '').then(
        () => true,
        () => false,
      );
      if (answers) return;
      if (performance.now() > end) throw new Error('versitygw does not answer within twenty seconds');
    }
  }

  async function gone(): Promise<void> {
    const dying = server;
    server = undefined;
    if (dying === undefined || dying.exitCode !== null) return;
    const over = new Promise((resolve) => dying.once('exit', resolve));
    dying.kill('SIGKILL');
    await over;
  }

  await up();
  const port = s3Objects(config, { clock: realTime });
  return {
    port,
    send: overHttp,
    down: async (on) => {
      await (on ? gone() : up());
      // Until the client has seen its idle connections end: a call on one would not know whether it was heard.
      await sleep(50);
    },
    pass: async (ms) => sleep(ms),
    close: async () => {
      await port.close();
      await gone();
      await rm(dir, { recursive: true, force: true });
    },
  };
});
