/** What `doctor` finds at a store for data, on the model's S3 face. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { s3Objects } from '../../adapters/objects/s3/index.ts';
import { readKeys } from '../../adapters/objects/s3/keys.ts';
import { type ObjectsServer, serveObjects } from '../../lab/servers/objects.ts';
import { examineStaging } from '../../src/engine/doctor.ts';
import { ObjectsModel } from '../../src/sim/models/objects.ts';
import { entropy, realTime } from './cloud.harness.ts';
import { keys, s3Config } from './objects.harness.ts';

describe('doctor', () => {
  let dir: string;
  let server: ObjectsServer;
  const model = new ObjectsModel({ clock: realTime, entropy });
  const secret = 'a-secret-of-the-tests';

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'spillway-keys-'));
    server = await serveObjects(model, {
      ...{ port: 0, bucket: 'spillway-test', clock: realTime },
      keys: { ...keys, secretAccessKey: secret },
    });
  });
  afterAll(async () => {
    await server.close();
    await rm(dir, { recursive: true, force: true });
  });

  async function found(keyFile: string | undefined) {
    const file = join(dir, 'keys');
    if (keyFile !== undefined) await writeFile(file, keyFile);
    return examineStaging('spillway-test/stage/', async () => {
      const credentials = await readKeys(keyFile === undefined ? join(dir, 'none') : file);
      return s3Objects({ ...s3Config(server.endpoint), credentials }, { clock: realTime });
    });
  }

  it('tries all that carrying would need, and leaves nothing there', async () => {
    expect(await found(`${keys.accessKeyId}\n${secret}\n`)).toMatchObject({ what: 'staging', ok: true });
    expect(model.list('')).toEqual([]);
    expect(model.unfinished('')).toEqual([]);
  });

  it('says what is wrong with the keys, without them', async () => {
    const wrong = await found(`${keys.accessKeyId}\nanother\n`);
    expect(wrong).toMatchObject({ ok: false });
    expect(wrong.text).toContain('check the secret access key in staging.keyFile');
    expect((await found(undefined)).text).toContain('ENOENT; staging.keyFile must be readable');
    for (const text of [`${secret}\n`, `a ${secret}\nb\n`, '\n\n', `a\n${secret}\nc\n`]) {
      const finding = await found(text);
      expect(finding).toMatchObject({ ok: false });
      expect(finding.text).toContain('write two lines, access key and secret key');
      expect(finding.text).not.toContain(secret);
    }
  });
});
