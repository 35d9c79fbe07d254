/** Access tokens of a certified provider, as it signs them after a sign-in by code and PKCE. */
import { createHmac } from 'node:crypto';
import type { JWK } from 'jose';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { algorithms, oidcIdentity } from '../../../adapters/identity/oidc.ts';
import { describedAt, keysAt } from '../../../adapters/identity/provider.ts';
import type { OidcConfig } from '../../../config/schema.ts';
import { examineOidc } from '../../../src/engine/doctor-oidc.ts';
import type { IdentityPort } from '../../../src/ports.ts';
import { audience, type Certified, clientId, keyOf, openCertified } from '../../certified.ts';

const kinds = ['RS256', 'RS512', 'PS256', 'ES256', 'ES384', 'EdDSA'];
let keys: readonly JWK[];
let provider: Certified;
beforeAll(async () => {
  keys = await Promise.all(kinds.map((alg) => keyOf(alg)));
  provider = await openCertified(keys);
});
afterEach(() => {
  provider.reset();
  provider.restart(keys);
});
afterAll(() => provider?.close());

const config = (over: Partial<OidcConfig> = {}): OidcConfig => ({
  ...{ issuer: provider.url, audience, userClaim: 'preferred_username', roleClaim: 'groups' },
  ...{ operators: ['hpc-ops'], admins: ['hpc-admins'], clockSkewMs: 60_000, timeoutMs: 5_000, ...over },
});
const tokenOf = async (who: string): Promise<string> => (await provider.signIn(who)).access_token;
const keysAsked = (): number => provider.asked.filter((path) => path === '/jwks').length;
const refusal = (identity: IdentityPort, token: string): Promise<string> =>
  identity.who(token).then(
    ({ name }) => `taken as ${name}`,
    (e: { fault: string; message: string }) => `${e.fault}: ${e.message}`,
  );
const part = (token: string, n: number): string => token.split('.')[n] ?? '';
const b64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const withKid = (token: string, n: number): string =>
  token.replace(part(token, 0), b64({ alg: 'ES256', kid: `k${n}` }));
const soon = { timeout: 30_000, interval: 500 };

describe('a token of a certified provider', () => {
  it.each([...kinds, 'Ed25519'])(
    'that is signed by %s is taken, with what it says of groups',
    async (alg) => {
      provider.ways.alg = alg;
      const identity = oidcIdentity(config());
      expect(await identity.who(await tokenOf('olga'))).toEqual({
        name: 'olga',
        role: 'operator',
        by: 'oidc',
      });
      expect(await identity.who(await tokenOf('alice'))).toMatchObject({ name: 'alice', role: 'user' });
    },
  );

  const at = () => Math.floor(Date.now() / 1_000);
  it.each<[string, Record<string, () => unknown>, RegExp]>([
    ['of another issuer', { iss: () => 'https://elsewhere.example.org' }, /token's iss/],
    ['of an issuer that only begins so', { iss: () => `${provider.url}/other` }, /token's iss/],
    ['for another', { aud: () => ['another', clientId] }, /token's aud/],
    ['that is over', { exp: () => at() - 61 }, /token is over/],
    ['that never ends', { exp: () => undefined }, /token's exp/],
    ['that is not yet good', { nbf: () => at() + 90 }, /token's nbf/],
    ['that names nobody', { preferred_username: () => undefined }, /no preferred_username/],
    ['that names what is no Unix name', { preferred_username: () => 'olga; id' }, /no Unix name/],
  ])('%s is refused', async (_, claims, words) => {
    provider.ways.change = ({ payload }) => {
      for (const [name, value] of Object.entries(claims)) payload[name] = value();
    };
    expect(await refusal(oidcIdentity(config()), await tokenOf('olga'))).toMatch(words);
  });

  it('is none once its signature is, or is a MAC with a public key as its secret', async () => {
    const identity = oidcIdentity(config());
    const token = await tokenOf('olga');
    const published = await (await fetch(`${provider.url}/jwks`)).json();
    expect(await refusal(identity, token)).toBe('taken as olga');
    const none = `${b64({ alg: 'none', typ: 'at+jwt' })}.${part(token, 1)}.`;
    expect(await refusal(identity, none)).toMatch(/^refused/);
    for (const key of (published as { keys: JWK[] }).keys)
      for (const secret of [JSON.stringify(key), key.n ?? key.x ?? '']) {
        const signed = `${b64({ alg: 'HS256', kid: key.kid })}.${part(token, 1)}`;
        const mac = createHmac('sha256', secret).update(signed).digest('base64url');
        expect(await refusal(identity, `${signed}.${mac}`)).toMatch(/^refused/);
      }
    const admin = {
      ...JSON.parse(Buffer.from(part(token, 1), 'base64url').toString()),
      groups: ['hpc-admins'],
    };
    expect(await refusal(identity, token.replace(part(token, 1), b64(admin)))).toMatch(/^refused/);
    // The same content, said to be signed by another of its keys.
    const other = b64({ alg: 'RS256', kid: 'RS256-1' });
    expect(await refusal(identity, token.replace(part(token, 0), other))).toMatch(/^refused/);
  });

  it('that says who he is in the ID token or at userinfo alone is refused with what is missing', async () => {
    provider.ways.claimsIn = 'id';
    const identity = oidcIdentity(config());
    const tokens = await provider.signIn('olga');
    expect(Buffer.from(part(tokens.id_token, 1), 'base64url').toString()).toContain('hpc-ops');
    expect(await refusal(identity, tokens.access_token)).toMatch(
      /no preferred_username \(api\.oidc\.userClaim\)/,
    );
    // That one is addressed to the page.
    expect(await refusal(identity, tokens.id_token)).toMatch(/token's aud/);
  });

  it('that is no JWT is refused', async () => {
    provider.ways.opaque = true;
    expect(await refusal(oidcIdentity(config()), await tokenOf('olga'))).toMatch(
      /^refused: that is no signed/,
    );
  });
});

it('a certified provider that changes its keys: the new one is fetched once, the old one is good no more', async () => {
  const identity = oidcIdentity(config());
  const old = await tokenOf('olga');
  expect(await refusal(identity, old)).toBe('taken as olga');
  provider.restart([await keyOf('ES256', 'next')]);
  const fresh = await tokenOf('alice');
  const before = keysAsked();
  await expect.poll(() => refusal(identity, fresh), soon).toBe('taken as alice');
  expect(keysAsked() - before).toBe(1);
  expect(await refusal(identity, old)).toMatch(/not signed by one of the provider's keys/);
});

it('keys that nobody has are looked for once', async () => {
  const identity = oidcIdentity(config());
  const token = await tokenOf('olga');
  expect(await refusal(identity, token)).toBe('taken as olga');
  await Promise.all(Array.from({ length: 50 }, (_, n) => refusal(identity, withKid(token, n))));
  for (let n = 0; n < 50; n++) expect(await refusal(identity, withKid(token, n))).toMatch(/^refused/);
  expect(keysAsked()).toBeLessThanOrEqual(2);
});

it('a certified provider that is away shuts out nobody whose key is known, and is asked seldom until it is back', async () => {
  const identity = oidcIdentity(config());
  const token = await tokenOf('olga');
  const { asked, ways } = provider;
  ways.down = true;
  asked.length = 0;
  await seldom(() => refusal(identity, token));
  ways.down = false;
  await expect.poll(() => refusal(identity, token), soon).toBe('taken as olga');
  ways.down = true;
  // By now an unknown key is looked for again; a known one needs no look.
  await expect.poll(() => refusal(identity, withKid(token, 0)), soon).toMatch(/^unreachable/);
  await seldom(() => refusal(identity, withKid(token, 1)));
  expect(await refusal(identity, token)).toBe('taken as olga');
});

/** However many ask, and however fast; by a clock that may not stand still meanwhile. */
async function seldom(ask: () => Promise<string>): Promise<void> {
  const [before, began] = [provider.asked.length, performance.now()];
  for (let n = 0; n < 100; n++) expect(await ask()).toMatch(/^unreachable/);
  const seconds = Math.ceil((performance.now() - began) / 1_000);
  expect(provider.asked.length - before).toBeLessThanOrEqual(seconds + 1);
}

it('doctor finds in a certified provider all that a login needs', async () => {
  const { asked } = provider;
  asked.length = 0;
  const findings: string[] = [];
  const all = examineOidc({
    ...{ issuer: provider.url, jwksUri: undefined, login: {}, algorithms },
    describe: () => describedAt(config()),
    keys: (address) => keysAt(address, config()),
  });
  for await (const { what, ok, text } of all) findings.push(`${what} ${ok ? 'ok' : text}`);
  expect(findings).toEqual(['api.oidc.issuer ok', 'api.oidc keys ok', 'api.oidc.login ok']);
  expect(asked).toEqual(['/.well-known/openid-configuration', '/jwks']);
});
