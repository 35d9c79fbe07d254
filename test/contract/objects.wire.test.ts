/** The model of an object store on the wire, through the real adapter and the real SDK. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { type S3Config, s3Objects } from '../../adapters/objects/s3/index.ts';
import { serveObjects } from '../../lab/servers/objects.ts';
import { ObjectsModel } from '../../src/sim/models/objects.ts';
import { expectFault } from './cloud.cases.ts';
import { entropy, realTime } from './cloud.harness.ts';
import { objectsContract } from './objects.contract.ts';
import { keys, overHttp, s3Config } from './objects.harness.ts';

const served = { bucket: 'spillway-test', keys, clock: realTime };

objectsContract('the model over the wire', async () => {
  const model = new ObjectsModel({ clock: realTime, entropy });
  let server = await serveObjects(model, { ...served, port: 0 });
  const { port: at } = server;
  const port = s3Objects(s3Config(server.endpoint), { clock: realTime });
  return {
    port,
    send: overHttp,
    down: async (on) => {
      if (on) {
        await server.close();
        // Until the client has seen its idle connections end: a call on one would not know whether it was heard.
        await sleep(50);
      } else server = await serveObjects(model, { ...served, port: at });
    },
    pass: async (ms) => sleep(ms),
    close: async () => {
      await port.close();
      await server.close();
    },
  };
});

describe('the S3 adapter', () => {
  const open: { close(): Promise<void> }[] = [];
  afterEach(async () => {
    for (const one of open.splice(0)) await one.close();
  });

  async function start(more: Partial<S3Config> = {}) {
    const model = new ObjectsModel({ clock: realTime, entropy });
    const server = await serveObjects(model, { ...served, port: 0 });
    const port = s3Objects({ ...s3Config(server.endpoint), ...more }, { clock: realTime });
    open.push(port, server);
    return { model, port };
  }

  test('keeps all it writes under its prefix and sees nothing else', async () => {
    const { model, port } = await start();
    model.put('elsewhere/blob', new Uint8Array(1));
    model.put('stage/blob', new Uint8Array(2));
    expect(await port.list('')).toMatchObject({ found: [{ key: 'blob', size: 2 }], next: undefined });
    await port.remove('blob');
    expect(model.list('').map(({ key }) => key)).toEqual(['elsewhere/blob']);
  });

  test('says what to correct: a wrong secret, a bucket that is not there, a region', async () => {
    const wrong = { accessKeyId: keys.accessKeyId, secretAccessKey: 'another' };
    const secret = await expectFault((await start({ credentials: wrong })).port.check(), 'refused');
    expect(secret.message).toContain('check the secret access key in staging.keyFile');
    const bucket = await expectFault((await start({ bucket: 'none' })).port.check(), 'refused');
    expect(bucket.message).toContain('correct staging.bucket');
    const region = await expectFault((await start({ region: 'eu-sim-1' })).port.check(), 'refused');
    expect(region.message).toContain('staging.region');
  });

  test('a URL is never signed for longer than a signature is good for, and says until when', async () => {
    const { port } = await start();
    const week = 7 * 86_400_000;
    const before = realTime.now();
    const { until, url } = await port.signGet('blob', 100 * week);
    expect(new URL(url).searchParams.get('X-Amz-Expires')).toBe('604800');
    expect(until).toBeLessThanOrEqual(realTime.now() + week);
    expect(until).toBeGreaterThan(before + week - 2_000);
    await expectFault(port.signGet('blob', 10), 'invalid');
  });

  test('an error holds nothing of the signature', async () => {
    const { port } = await start({ credentials: { accessKeyId: 'nobody', secretAccessKey: 'x' } });
    const error = await expectFault(port.head('blob'), 'refused');
    expect(JSON.stringify(error.cause) + error.message + error.stack).not.toMatch(/Signature=|Credential=/);
  });
});
