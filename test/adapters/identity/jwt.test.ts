/** What somebody might send in place of a token, to each of those who prove them: none of it is any fault but the token's. */
import { createHmac, createSign, generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CompactEncrypt } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eitherIdentity } from '../../../adapters/identity/either.ts';
import { oidcIdentity } from '../../../adapters/identity/oidc.ts';
import { SlurmJwtIdentity } from '../../../adapters/identity/slurm-jwt.ts';
import { instant } from '../../../src/domain/ids.ts';
import type { IdentityPort } from '../../../src/ports.ts';

const dir = mkdtempSync(join(tmpdir(), 'spillway-jwt-'));
const keyFile = join(dir, 'jwt_hs256.key');
const secret = randomBytes(32);
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const other = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
/** Where the provider's keys are, and where a token might send us for its own. */
let pages: Server;
const asked: string[] = [];
let site: string;
const provers = new Map<string, IdentityPort>();

const published = [
  { ...rsa.publicKey.export({ format: 'jwk' }), kid: 'one', alg: 'RS256' },
  { ...ec.publicKey.export({ format: 'jwk' }), kid: 'curve', alg: 'ES256' },
];
const own = other.publicKey.export({ format: 'jwk' });

beforeAll(async () => {
  pages = createServer((req, res) => {
    asked.push(req.url ?? '');
    res.end(
      JSON.stringify({ keys: req.url === '/keys' ? published : [{ ...own, kid: 'own', alg: 'RS256' }] }),
    );
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => pages.once('listening', resolve));
  site = `http://127.0.0.1:${(pages.address() as AddressInfo).port}`;
  writeFileSync(keyFile, secret, { mode: 0o400 });
  const slurm = slurmWith(published);
  const provider = oidcIdentity({
    ...{ issuer: site, jwksUri: `${site}/keys`, audience: 'spillway', userClaim: 'sun', roleClaim: 'groups' },
    ...{ operators: [], admins: [], clockSkewMs: 60_000, timeoutMs: 2_000 },
  });
  provers.set('a provider', provider);
  provers.set('Slurm', slurm);
  provers.set('either', eitherIdentity(site, provider, slurm));
});
afterAll(async () => {
  rmSync(dir, { recursive: true, force: true });
  pages.closeAllConnections();
  await new Promise((resolve) => pages.close(resolve));
});

function slurmWith(keys: readonly object[]): SlurmJwtIdentity {
  const jwks = join(dir, `${randomBytes(4).toString('hex')}.json`);
  writeFileSync(jwks, JSON.stringify({ keys }), { mode: 0o444 });
  return new SlurmJwtIdentity(
    { cluster: 'hpc1', keyFile, jwks, userClaim: 'sun', refuse: [] },
    { clock: { now: () => instant(Date.now()) }, uid: async () => 2001 },
  );
}

const b64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const claims = () => ({ iss: site, aud: 'spillway', sun: 'alice', exp: Math.floor(Date.now() / 1000) + 300 });

/** Signed as its header's alg says, with the key that is ours unless another is named; nothing is checked. */
function made(header: object, body = b64(claims()), key = rsa.privateKey): string {
  const said = `${b64(header)}.${body}`;
  const mac = (header as { alg?: unknown }).alg === 'HS256';
  const signature = mac
    ? createHmac('sha256', secret).update(said).digest('base64url')
    : createSign('sha256').update(said).sign(key, 'base64url');
  return `${said}.${signature}`;
}
const rs = { alg: 'RS256', kid: 'one' };
const encrypted = (alg: string, enc: string, key: Parameters<CompactEncrypt['encrypt']>[0]) =>
  new CompactEncrypt(Buffer.from(JSON.stringify(claims()))).setProtectedHeader({ alg, enc }).encrypt(key);

const bad: Readonly<Record<string, () => string | Promise<string>>> = {
  'is empty': () => '',
  'is of empty parts': () => '..',
  'has a part too few': () => made(rs).replace(/\.[^.]+$/, ''),
  'has a part too many': () => `${made(rs)}.AA`,
  'is encrypted to the public key': () => encrypted('RSA-OAEP-256', 'A256GCM', rsa.publicKey),
  'is encrypted with the secret': () => encrypted('dir', 'A256GCM', secret),
  'says none': () => `${b64({ alg: 'none' })}.${b64(claims())}.`,
  'says nOnE, and signs': () => made({ alg: 'nOnE', kid: 'one' }),
  'says an alg that there is not': () => made({ ...rs, alg: 'RS257' }),
  'says an alg that every object has': () => made({ ...rs, alg: 'toString' }),
  'says a number as alg': () => made({ ...rs, alg: 256 }),
  'says a list as alg': () => made({ ...rs, alg: ['RS256'] }),
  'says no alg': () => made({ kid: 'one' }),
  'says the alg of another kind of key': () => made({ alg: 'ES256', kid: 'one' }),
  'names a key of another kind': () => made({ alg: 'RS256', kid: 'curve' }),
  'names its key by a number': () => made({ alg: 'RS256', kid: 1 }),
  'names its key by null': () => made({ alg: 'RS256', kid: null }),
  'wants what is unknown': () => made({ ...rs, crit: ['x'], x: 1 }),
  'wants what every object has': () => made({ ...rs, crit: ['toString'], toString: 1 }),
  'wants what it does not bring': () => made({ ...rs, crit: ['b64'] }),
  'wants a number': () => made({ ...rs, crit: [1] }),
  'wants nothing, and says so': () => made({ ...rs, crit: [] }),
  'is not encoded': () => made({ ...rs, b64: false, crit: ['b64'] }, JSON.stringify(claims())),
  'is encoded, and says that it is not': () => made({ ...rs, b64: false, crit: ['b64'] }),
  'is no base64url in its head': () => made(rs).replace(/^./, '!'),
  'is no base64url in its body': () => made(rs, '!!!'),
  'is no base64url in its signature': () => made(rs).replace(/.$/, '!'),
  'is no UTF-8 in its head': () => `${Buffer.from([0xc3, 0x28]).toString('base64url')}.${b64(claims())}.AA`,
  'is no UTF-8 in its body': () => made(rs, Buffer.from([0xc3, 0x28]).toString('base64url')),
  'has null as its head': () => `${b64(null)}.${b64(claims())}.AA`,
  'has null as its body': () => made(rs, b64(null)),
  'has a list as its body': () => made(rs, b64([claims()])),
  'is 1 MB of body': () => `${b64(rs)}.${'A'.repeat(1 << 20)}.AA`,
  'is 1 MB of head': () => `${'A'.repeat(1 << 20)}.${b64(claims())}.AA`,
  'is 1 MB of signature': () => `${b64(rs)}.${b64(claims())}.${'A'.repeat(1 << 20)}`,
  'is 1 MB of dots': () => '.'.repeat(1 << 20),
  'is deep': () => `${b64(rs)}.${Buffer.from('['.repeat(700_000)).toString('base64url')}.AA`,
  'brings its own key': () => made({ ...rs, jwk: own }, undefined, other.privateKey),
  'brings its own key, and its name': () =>
    made({ alg: 'RS256', kid: 'own', jwk: { ...own, kid: 'own' } }, undefined, other.privateKey),
  'says where its key is': () =>
    made({ alg: 'RS256', kid: 'own', jku: `${site}/own` }, undefined, other.privateKey),
  'says where its certificate is': () => made({ ...rs, x5u: `${site}/own` }, undefined, other.privateKey),
  'brings a certificate': () => made({ ...rs, x5c: ['MIIB'] }, undefined, other.privateKey),
};

describe.each(['a provider', 'Slurm', 'either'])('for %s', (who) => {
  const prove = (token: string) => (provers.get(who) as IdentityPort).who(token);

  it('the token that those are made from is good', async () => {
    expect(await prove(made(rs))).toMatchObject({ name: 'alice', role: 'user' });
  });

  it.each(Object.keys(bad))('a token that %s is refused, and nobody is asked where it says', async (what) => {
    const token = await bad[what]?.();
    await expect(prove(token ?? '')).rejects.toMatchObject({ fault: 'refused', at: 'identity.who' });
    expect(asked.filter((page) => page !== '/keys')).toEqual([]);
  });
});

it('a MAC is proved by Slurm alone, and with what was bad above it is none either', async () => {
  const [provider, slurm] = [provers.get('a provider'), provers.get('Slurm')];
  expect(await slurm?.who(made({ alg: 'HS256' }))).toMatchObject({ name: 'alice' });
  await expect(provider?.who(made({ alg: 'HS256' }))).rejects.toMatchObject({ fault: 'refused' });
  for (const header of [{ crit: ['x'], x: 1 }, { crit: ['b64'], b64: false }, { crit: [] }, { alg: 'HS384' }])
    await expect(slurm?.who(made({ alg: 'HS256', ...header }))).rejects.toMatchObject({ fault: 'refused' });
});

it('a key in the file that no token can be checked with says nothing about the token', async () => {
  const unfit = { ...published[0], n: 'A'.repeat(342) };
  await expect(slurmWith([unfit]).who(made(rs))).rejects.toMatchObject({
    ...{ fault: 'unreachable', at: 'identity.who' },
    message: expect.stringContaining('api.slurmJwt'),
  });
});
