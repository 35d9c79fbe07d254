/** A gateway as it is started, that takes Slurm's own tokens: from its configuration by way of the login node to who asks. */
import { randomBytes } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SignJWT } from 'jose';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { loadConfig } from '../../config/load.ts';
import { type Scene, scene } from './init.scene.ts';
import { type Serving, serve, spillway } from './init.typed.ts';

let here: Scene;
let gateway: Serving | undefined;
let key: Buffer;
const config = (): string => join(here.dir, 'spillway.yaml');
const keyFile = (): string => join(here.dir, 'jwt_hs256.key');

beforeEach(async () => {
  here = await scene();
  expect((await here.run(here.order())).code).toBe(0);
  const [cluster] = (await loadConfig(config())).clusters;
  const api = { slurmJwt: { cluster: cluster?.name, keyFile: 'jwt_hs256.key' } };
  writeFileSync(config(), `${readFileSync(config(), 'utf8')}\napi: ${JSON.stringify(api)}\n`);
}, 120_000);
afterEach(async () => {
  gateway?.kill();
  await here.close();
});

/** A new key of the cluster, in place of the one before. */
function put(mode: number): void {
  key = randomBytes(32);
  writeFileSync(`${keyFile()}.new`, key, { mode });
  renameSync(`${keyFile()}.new`, keyFile());
}

function minted(sun: string): Promise<string> {
  const iat = Math.floor(Date.now() / 1000);
  return new SignJWT({ exp: iat + 600, iat, sun }).setProtectedHeader({ alg: 'HS256', typ: 'JWT' }).sign(key);
}

const me = async (token: string): Promise<[number, unknown]> => {
  const response = await fetch(`${gateway?.base}/api/v1/me`, {
    headers: { authorization: `Bearer ${token}` },
  });
  return [response.status, ((await response.json()) as { code?: unknown }).code];
};

it('starts on no key that others may read; then tokens are proved by the key that is there, and whom the login node cannot tell of waits', async () => {
  put(0o444);
  const { code, out } = await spillway('-c', config(), 'serve');
  expect([code, out]).toEqual([1, expect.stringMatching(/api\.slurmJwt\.keyFile: .*chmod 0400/)]);
  put(0o400);
  gateway = await serve(config());
  // This login node answers nothing but Slurm's commands: whoever gets so far was proved by the key.
  const alice = await minted('alice');
  expect(await me(alice)).toMatchObject([503, 'issuer_unreachable']);
  for (const nobody of ['root', 'slurm', '../alice'])
    expect(await me(await minted(nobody))).toEqual([401, 'not_authenticated']);
  put(0o400);
  expect(await me(alice)).toEqual([401, 'not_authenticated']);
  expect(await me(await minted('alice'))).toEqual([503, 'issuer_unreachable']);
}, 180_000);
