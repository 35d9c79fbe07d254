/** Tokens of an identity provider, against one of the test's own with real keys. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { oidcIdentity } from '../../../adapters/identity/oidc.ts';
import type { OidcConfig } from '../../../config/schema.ts';

type Keys = Awaited<ReturnType<typeof generateKeyPair>>;

let provider: Server;
let issuer: string;
let keys: Keys;
/** What its two pages say now; undefined: 500. */
let published: { kid: string; key: Keys }[];
let says: ((issuer: string) => unknown) | undefined;
let asked: number;

beforeEach(async () => {
  keys = await generateKeyPair('ES256');
  published = [{ kid: 'one', key: keys }];
  says = (iss) => ({ issuer: iss, jwks_uri: `${iss}/keys` });
  asked = 0;
  provider = createServer(async (req, res) => {
    asked += 1;
    if (says === undefined) return void res.writeHead(500).end();
    const jwks = await Promise.all(
      published.map(async ({ kid, key }) => ({ ...(await exportJWK(key.publicKey)), kid, alg: 'ES256' })),
    );
    res.end(JSON.stringify(req.url === '/keys' ? { keys: jwks } : says(issuer)));
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => provider.once('listening', resolve));
  issuer = `http://127.0.0.1:${(provider.address() as AddressInfo).port}`;
});
afterEach(() => {
  provider.closeAllConnections();
  return new Promise((resolve) => provider.close(resolve));
});

const config = (over: Partial<OidcConfig> = {}): OidcConfig => ({
  issuer,
  audience: 'spillway',
  userClaim: 'preferred_username',
  roleClaim: 'groups',
  operators: ['hpc-ops'],
  admins: ['hpc-admins'],
  clockSkewMs: 60_000,
  timeoutMs: 2_000,
  ...over,
});

const now = (): number => Math.floor(Date.now() / 1000);
function sign(
  claims: JWTPayload = {},
  header: { kid?: string; key?: Keys['privateKey'] } = {},
): Promise<string> {
  return new SignJWT({
    ...{ iss: issuer, aud: 'spillway', exp: now() + 300, preferred_username: 'alice' },
    ...claims,
  })
    .setProtectedHeader({ alg: 'ES256', kid: header.kid ?? 'one' })
    .sign(header.key ?? keys.privateKey);
}
const b64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

describe('a token of the provider', () => {
  it.each<[JWTPayload, Partial<OidcConfig>, object]>([
    [{}, {}, { name: 'alice', role: 'user' }],
    [{ groups: ['x', 'hpc-ops'] }, {}, { name: 'alice', role: 'operator' }],
    [{ groups: 'hpc-admins' }, {}, { name: 'alice', role: 'admin' }],
    [{ groups: { 'hpc-admins': true } }, {}, { name: 'alice', role: 'user' }],
    [{ realm_access: { roles: ['hpc-ops'] } }, { roleClaim: 'realm_access.roles' }, { role: 'operator' }],
    [{ 'https://x.org/roles': ['hpc-ops'] }, { roleClaim: 'https://x.org/roles' }, { role: 'operator' }],
    [{ email: 'bob@example.org' }, { userClaim: 'email', domain: 'example.org' }, { name: 'bob' }],
    [{ aud: ['other', 'spillway'] }, {}, { name: 'alice' }],
    [{ exp: now() - 30 }, {}, { name: 'alice' }],
    [{ nbf: now() + 30 }, {}, { name: 'alice' }],
  ])('%j with %j is %j', async (claims, over, caller) => {
    expect(await oidcIdentity(config(over)).who(await sign(claims))).toMatchObject({ by: 'oidc', ...caller });
  });

  it.each<[string, () => Promise<string> | string, Partial<OidcConfig>]>([
    ['is over', () => sign({ exp: now() - 90 }), {}],
    ['has no end', () => sign({ exp: undefined as never }), {}],
    ['is not yet', () => sign({ nbf: now() + 90 }), {}],
    ['is of another issuer', () => sign({ iss: 'https://elsewhere' }), {}],
    ['is for somebody else', () => sign({ aud: 'other' }), {}],
    ['is for nobody', () => sign({ aud: undefined as never }), {}],
    ['names nobody', () => sign({ preferred_username: undefined }), {}],
    ['names no Unix name', () => sign({ preferred_username: '../alice' }), {}],
    ['names a list', () => sign({ preferred_username: ['alice'] }), {}],
    [
      'is of another domain',
      () => sign({ email: 'alice@evil.org' }),
      { userClaim: 'email', domain: 'example.org' },
    ],
    [
      'only looks like the domain',
      () => sign({ email: 'alice@evil@example.org' }),
      { userClaim: 'email', domain: 'example.org' },
    ],
    ['is signed by nobody', async () => `${b64({ alg: 'none' })}.${(await sign()).split('.')[1]}.`, {}],
    [
      'is signed with the public key as a secret',
      async () => {
        const secret = new TextEncoder().encode(JSON.stringify(await exportJWK(keys.publicKey)));
        return new SignJWT({ iss: issuer, aud: 'spillway', exp: now() + 300, preferred_username: 'alice' })
          .setProtectedHeader({ alg: 'HS256', kid: 'one' })
          .sign(secret);
      },
      {},
    ],
    [
      'is signed by another key of that name',
      async () => sign({}, { key: (await generateKeyPair('ES256')).privateKey }),
      {},
    ],
    [
      'brings its own key',
      async () => {
        const own = await generateKeyPair('ES256');
        return new SignJWT({ iss: issuer, aud: 'spillway', exp: now() + 300, preferred_username: 'alice' })
          .setProtectedHeader({ alg: 'ES256', jwk: await exportJWK(own.publicKey) })
          .sign(own.privateKey);
      },
      {},
    ],
    [
      'was changed',
      async () => (await sign()).replace(/\.[^.]+\./, `.${b64({ preferred_username: 'root' })}.`),
      {},
    ],
    ['is no token', () => 'a.b.c', {}],
    ['is no token either', () => 'abc', {}],
    ['is a JSON of something', () => `${b64([1])}.${b64(1)}.AA`, {}],
  ])('that %s is refused', async (_what, token, over) => {
    await expect(oidcIdentity(config(over)).who(await token())).rejects.toMatchObject({ fault: 'refused' });
  });
});

it('a new key is taken without a start, and one that was taken back is no more once keys are read anew', async () => {
  const identity = oidcIdentity(config());
  await identity.who(await sign());
  const fresh = await generateKeyPair('ES256');
  published = [{ kid: 'two', key: fresh }];
  await expect
    .poll(
      async () =>
        identity.who(await sign({}, { kid: 'two', key: fresh.privateKey })).catch((e: Error) => e.message),
      { timeout: 20_000, interval: 500 },
    )
    .toMatchObject({ name: 'alice' });
  await expect(identity.who(await sign())).rejects.toMatchObject({ fault: 'refused' });
});

it('a provider that is away, or says something else, is no word about the token; it is asked anew', async () => {
  const identity = oidcIdentity(config());
  const working = says;
  for (const broken of [
    undefined,
    () => ({ issuer: 'https://elsewhere', jwks_uri: `${issuer}/keys` }),
    () => 'x',
  ]) {
    says = broken;
    const before = asked;
    await expect
      .poll(
        async () => {
          await expect(identity.who(await sign())).rejects.toMatchObject({ fault: 'unreachable' });
          return asked;
        },
        { timeout: 20_000 },
      )
      .toBeGreaterThan(before);
  }
  says = working;
  await expect
    .poll(async () => identity.who(await sign()).catch((e: Error) => e.message), { timeout: 20_000 })
    .toMatchObject({ name: 'alice' });
});

it('invented key ids do not make the gateway ask for each of them', async () => {
  const identity = oidcIdentity(config());
  await identity.who(await sign());
  const before = asked;
  for (let i = 0; i < 20; i++)
    await expect(identity.who(await sign({}, { kid: `k${i}` }))).rejects.toMatchObject({ fault: 'refused' });
  expect(asked - before).toBeLessThanOrEqual(1);
});
