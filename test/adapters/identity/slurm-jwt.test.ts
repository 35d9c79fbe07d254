/** Tokens of Slurm's auth/jwt, and what somebody might send in place of one. */
import { createHmac, randomBytes } from 'node:crypto';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportJWK, exportSPKI, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { eitherIdentity } from '../../../adapters/identity/either.ts';
import { SlurmJwtIdentity } from '../../../adapters/identity/slurm-jwt.ts';
import type { SlurmJwtConfig } from '../../../config/schema.ts';
import { PortError } from '../../../src/domain/fault.ts';
import { instant } from '../../../src/domain/ids.ts';
import type { IdentityPort } from '../../../src/ports.ts';

type Keys = Awaited<ReturnType<typeof generateKeyPair>>;

const dir = mkdtempSync(join(tmpdir(), 'spillway-jwt-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const keyFile = join(dir, 'jwt_hs256.key');
const jwks = join(dir, 'jwks.json');
let secret: Buffer;
let rsa: Keys;
let other: Keys;

beforeAll(async () => {
  rsa = await generateKeyPair('RS256', { extractable: true });
  other = await generateKeyPair('RS256', { extractable: true });
});
beforeEach(async () => {
  secret = randomBytes(32);
  rmSync(keyFile, { recursive: true, force: true });
  put(keyFile, secret, 0o400);
  put(jwks, await setOf({ one: rsa }), 0o444);
});

/** In place of what is there, as an installer does it. */
function put(file: string, content: string | Uint8Array, mode: number): void {
  writeFileSync(`${file}.new`, content);
  chmodSync(`${file}.new`, mode);
  renameSync(`${file}.new`, file);
}

async function setOf(keys: Readonly<Record<string, Keys>>, over: object = {}): Promise<string> {
  const all = Object.entries(keys).map(async ([kid, key]) => ({
    ...{ ...(await exportJWK(key.publicKey)), kid, alg: 'RS256', use: 'sig' },
    ...over,
  }));
  return JSON.stringify({ keys: await Promise.all(all) });
}

/** root is so by name too, whatever a cluster's name service says. */
const uids: Readonly<Record<string, number>> = { alice: 2001, bob: 2002, toor: 0, root: 2003 };
function identity(over: Partial<SlurmJwtConfig> = {}): SlurmJwtIdentity {
  return new SlurmJwtIdentity(
    { cluster: 'hpc1', keyFile, jwks, userClaim: 'sun', refuse: ['slurm'], ...over },
    {
      clock: { now: () => instant(Date.now()) },
      uid: async (user) => {
        const uid = uids[user];
        if (uid === undefined) throw new PortError('refused', 'identity.who', 'no such user');
        return uid;
      },
    },
  );
}

const now = (): number => Math.floor(Date.now() / 1000);
const hs = (claims: JWTPayload = {}, key: Uint8Array = secret, header: object = {}): Promise<string> =>
  new SignJWT({ exp: now() + 300, iat: now(), sun: 'alice', ...claims })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT', ...header })
    .sign(key);
const rs = (claims: JWTPayload = {}, key = rsa.privateKey, header: object = { kid: 'one' }) =>
  new SignJWT({ exp: now() + 300, sun: 'alice', ...claims })
    .setProtectedHeader({ alg: 'RS256', ...header })
    .sign(key);
const b64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

describe('a token of Slurm', () => {
  it.each<[string, () => Promise<string>, Partial<SlurmJwtConfig>]>([
    ['by HS256', () => hs(), {}],
    ['by RS256', () => rs(), {}],
    [
      'by RS256, that names its user elsewhere',
      () => rs({ sun: 'bob', uname: 'alice' }),
      { userClaim: 'uname' },
    ],
    ['by HS256, where only RS256 names its user elsewhere', () => hs(), { userClaim: 'uname' }],
    ['that was over a moment ago, by another clock', () => hs({ exp: now() - 10 }), {}],
    ['for an audience', () => rs({ aud: ['other', 'slurm'] }), { audience: 'slurm' }],
    ['that asks for more, and gets it not', () => hs({ role: 'admin', groups: ['admins'] }), {}],
  ])('%s names a user, and makes nobody more', async (_what, token, over) => {
    const who = await identity(over).who(await token());
    expect(who).toEqual({ name: 'alice', role: 'user', by: 'slurm' });
  });

  it.each<[string, () => Promise<string> | string, Partial<SlurmJwtConfig>]>([
    ['is over', () => hs({ exp: now() - 60 }), {}],
    ['has no end', () => hs({ exp: undefined as never }), {}],
    ['has an end that is no time', () => hs({ exp: 'never' as never }), {}],
    ['is not yet', () => hs({ nbf: now() + 90 }), {}],
    ['is by another key', () => hs({}, randomBytes(32)), {}],
    ['is by another RSA key', () => rs({}, other.privateKey), {}],
    ['names a key that is not there', () => rs({}, rsa.privateKey, { kid: 'two' }), {}],
    ['names no key', () => rs({}, rsa.privateKey, {}), {}],
    [
      'brings its own key',
      async () => rs({}, other.privateKey, { jwk: await exportJWK(other.publicKey) }),
      {},
    ],
    [
      'was changed',
      async () => (await hs()).replace(/\.[^.]+\./, `.${b64({ exp: now() + 9, sun: 'bob' })}.`),
      {},
    ],
    ['is signed by nobody', async () => `${b64({ alg: 'none' })}.${(await hs()).split('.')[1]}.`, {}],
    ['lost its signature', async () => (await hs()).replace(/[^.]+$/, ''), {}],
    [
      'is a MAC by the public key',
      async () => hs({}, new TextEncoder().encode(await exportSPKI(rsa.publicKey)), { kid: 'one' }),
      {},
    ],
    [
      'is a MAC by the file of public keys',
      async () => hs({}, new TextEncoder().encode(await setOf({ one: rsa })), { kid: 'one' }),
      { keyFile: undefined },
    ],
    ['is by the right secret in a way that is not Slurm’s', () => other512(), {}],
    ['is by HS256 where none is taken', () => hs(), { keyFile: undefined }],
    ['is by RS256 where none is taken', () => rs(), { jwks: undefined }],
    ['names no user', () => hs({ sun: undefined }), {}],
    ['names its user as Slurm’s own do not', () => hs({ sun: undefined, username: 'alice' }), {}],
    ['names a number', () => hs({ sun: 2001 }), {}],
    ['names several', () => hs({ sun: ['alice'] }), {}],
    ['names what is no Unix name', () => hs({ sun: '../alice' }), {}],
    ['names an option', () => hs({ sun: '-alice' }), {}],
    ['names a line', () => hs({ sun: 'alice\n' }), {}],
    ['names nobody', () => hs({ sun: '' }), {}],
    ['names root', () => hs({ sun: 'root' }), {}],
    ['names SlurmUser', () => hs({ sun: 'slurm' }), {}],
    ['names another user of uid 0', () => hs({ sun: 'toor' }), {}],
    ['names somebody whom the cluster does not know', () => hs({ sun: 'mallory' }), {}],
    ['is for another audience', () => rs({ aud: 'wiki' }), { audience: 'slurm' }],
    ['is for no audience', () => rs(), { audience: 'slurm' }],
    ['wants something of whoever checks it', () => critical(), {}],
    ['is no token', () => 'a.b.c', {}],
    ['is no token either', () => 'abc', {}],
    ['is a JSON of something', () => `${b64([1])}.${b64(1)}.AA`, {}],
    ['is huge', () => `${b64({ alg: 'HS256' })}.${'A'.repeat(4_000_000)}.AA`, {}],
    ['is huge in its header', () => `${'A'.repeat(4_000_000)}.AA.AA`, {}],
  ])('that %s is refused', async (_what, token, over) => {
    const given = await token();
    await expect(identity(over).who(given)).rejects.toMatchObject({ fault: 'refused', at: 'identity.who' });
  });

  const critical = () => {
    const body = `${b64({ alg: 'HS256', crit: ['x'], x: 1 })}.${b64({ exp: now() + 300, sun: 'alice' })}`;
    return `${body}.${createHmac('sha256', secret).update(body).digest('base64url')}`;
  };
  const other512 = () =>
    new SignJWT({ exp: now() + 300, sun: 'alice' })
      .setProtectedHeader({ alg: 'HS512' })
      .sign(Buffer.concat([secret, secret]));
});

describe('a key file', () => {
  it('that is replaced or written over is read anew, and what the old key signed is worth nothing', async () => {
    const slurm = identity();
    const old = [await hs(), await rs()];
    for (const token of old) expect(await slurm.who(token)).toMatchObject({ name: 'alice' });
    secret = randomBytes(32);
    put(keyFile, secret, 0o400);
    put(jwks, await setOf({ two: other }), 0o444);
    for (const token of old) await expect(slurm.who(token)).rejects.toMatchObject({ fault: 'refused' });
    expect(await slurm.who(await hs())).toMatchObject({ name: 'alice' });
    expect(await slurm.who(await rs({}, other.privateKey, { kid: 'two' }))).toMatchObject({ name: 'alice' });
    // As `cp` does it, in place.
    const third = randomBytes(32);
    writeFileSync(keyFile, third);
    expect(await slurm.who(await hs({}, third))).toMatchObject({ name: 'alice' });
  });

  it('that is gone is no word about the token, and the old key is not used on; once there it is read', async () => {
    const slurm = identity();
    const token = await hs();
    expect(await slurm.who(token)).toMatchObject({ name: 'alice' });
    rmSync(keyFile);
    await expect(slurm.who(token)).rejects.toMatchObject({ fault: 'unreachable' });
    put(keyFile, secret, 0o400);
    expect(await slurm.who(token)).toMatchObject({ name: 'alice' });
  });

  it.each<[string, () => void, RegExp]>([
    [
      'others may read',
      () => chmodSync(keyFile, 0o404),
      /keyFile: others than its owner may read it.*chmod 0400/,
    ],
    ['its group may read', () => chmodSync(keyFile, 0o440), /keyFile: others than its owner may read it/],
    ['others may write', () => chmodSync(keyFile, 0o602), /keyFile: others than its owner may write it/],
    ['is too short', () => put(keyFile, 'secret\n', 0o400), /keyFile: of 7 bytes, and can be guessed/],
    ['is empty', () => put(keyFile, '', 0o400), /keyFile: of 0 bytes/],
    ['is not there', () => rmSync(keyFile), /keyFile: .*no such file/],
    [
      'is a directory',
      () => {
        rmSync(keyFile);
        mkdirSync(keyFile, 0o700);
      },
      /keyFile: no file/,
    ],
    ['is too long', () => put(keyFile, Buffer.alloc(2 ** 20 + 1), 0o400), /keyFile: longer than 1 MiB/],
    [
      'holds public keys that others may write',
      () => chmodSync(jwks, 0o666),
      /jwks: others than its owner may write/,
    ],
    ['holds no JSON', () => put(jwks, 'x', 0o444), /jwks: no JSON/],
    ['holds no keys', () => put(jwks, '{"keys":[]}', 0o444), /jwks: no key of kty RSA/],
    [
      'holds none for RS256',
      () => put(jwks, '{"keys":[{"kty":"EC","kid":"a"}]}', 0o444),
      /jwks: no key of kty RSA/,
    ],
    [
      'holds a short key',
      () =>
        put(
          jwks,
          `{"keys":[{"kty":"RSA","kid":"a","alg":"RS256","e":"AQAB","n":"${'A'.repeat(170)}"}]}`,
          0o444,
        ),
      /jwks: key a is shorter than 2048 bits/,
    ],
  ])('that %s keeps the gateway from starting, and says why', async (_what, spoil, words) => {
    spoil();
    await expect(identity().examine()).rejects.toMatchObject({
      fault: 'unreachable',
      message: expect.stringMatching(words),
    });
  });

  it.runIf(process.getuid?.() === 0)('of somebody else is not taken', async () => {
    chownSync(keyFile, 12_345, 12_345);
    await expect(identity().examine()).rejects.toThrow(/keyFile: owned by uid 12345; make a copy/);
  });

  it('that ceases to be closed is not used on', async () => {
    const slurm = identity();
    const token = await hs();
    expect(await slurm.who(token)).toMatchObject({ name: 'alice' });
    chmodSync(keyFile, 0o444);
    await expect(slurm.who(token)).rejects.toMatchObject({ fault: 'unreachable' });
  });
});

it('a token that names the provider is never Slurm’s to prove, whoever signed it', async () => {
  const asked: string[] = [];
  const provider: IdentityPort = {
    who: async () => {
      asked.push('provider');
      throw new PortError('refused', 'identity.who', 'not ours');
    },
  };
  const both = eitherIdentity('https://id.example.org', provider, identity());
  expect(await both.who(await hs())).toMatchObject({ name: 'alice' });
  expect(await both.who(await hs({ iss: 'https://elsewhere' }))).toMatchObject({ name: 'alice' });
  await expect(both.who(await rs({ iss: 'https://id.example.org' }))).rejects.toThrow('not ours');
  await expect(both.who('abc')).rejects.toMatchObject({ fault: 'refused' });
  expect(asked).toEqual(['provider']);
});
