/** What doctor says of an identity provider: one that is well, and each thing that may be wrong with it; asked over HTTP as it is. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair } from 'jose';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { algorithms } from '../../adapters/identity/oidc.ts';
import { describedAt, keysAt } from '../../adapters/identity/provider.ts';
import type { OidcConfig } from '../../config/schema.ts';
import { examineOidc, type OidcAsked } from '../../src/engine/doctor-oidc.ts';

let server: Server;
let issuer: string;
let jwk: object;
/** What it answers at each path; what is undefined it never answers. */
let answers: Record<string, unknown>;
const described = '/.well-known/openid-configuration';

beforeAll(async () => {
  const { publicKey } = await generateKeyPair('ES256');
  jwk = { ...(await exportJWK(publicKey)), kid: 'one', alg: 'ES256', use: 'sig' };
  server = createServer((req, res) => {
    const path = req.url ?? '';
    if (!(path in answers)) return void res.writeHead(404).end();
    const body = answers[path];
    if (body !== undefined) res.writeHead(200).end(typeof body === 'string' ? body : JSON.stringify(body));
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(resolve));
});
beforeEach(() => {
  answers = {
    [described]: {
      ...{ issuer, jwks_uri: `${issuer}/keys`, authorization_endpoint: `${issuer}/authorize` },
      ...{ token_endpoint: `${issuer}/token`, end_session_endpoint: `${issuer}/end` },
      ...{ response_types_supported: ['code'], code_challenge_methods_supported: ['S256'] },
    },
    '/keys': { keys: [jwk] },
  };
});

async function told(over: Partial<OidcAsked & { readonly at: string }> = {}) {
  const { at = issuer } = over;
  const config = { issuer: at, timeoutMs: 300 } as OidcConfig;
  const findings = [];
  for await (const finding of examineOidc({
    ...{ issuer: at, jwksUri: undefined, login: {}, algorithms },
    describe: () => describedAt(config),
    keys: (address) => keysAt(address, config),
    ...over,
  }))
    findings.push(finding);
  return findings;
}
const badly = async (over?: Parameters<typeof told>[0]) =>
  (await told(over)).filter((f) => !f.ok).map((f) => `${f.what}: ${f.text} → ${f.todo}`);

it('a provider that has all of it is well, and what a sign-out does is told', async () => {
  const findings = await told();
  expect(findings.map((f) => [f.what, f.ok])).toEqual([
    ['api.oidc.issuer', true],
    ['api.oidc keys', true],
    ['api.oidc.login', true],
  ]);
  expect(findings[2]?.text).toContain('signed out there, too');
});

it.each<[string, Record<string, unknown>, RegExp]>([
  [
    'calls itself otherwise',
    { issuer: 'https://other.example.org' },
    /issuer: .*"https:\/\/other.*exactly so/,
  ],
  ['names no keys', { jwks_uri: undefined }, /keys: it names no jwks_uri → write api.oidc.jwksUri/],
  [
    'has no authorization endpoint',
    { authorization_endpoint: undefined },
    /it has no authorization_endpoint/,
  ],
  ['has no token endpoint', { token_endpoint: undefined }, /it has no token_endpoint/],
  [
    'has its token endpoint elsewhere',
    { token_endpoint: 'https://tokens.example.org/token' },
    /may not ask → write api.oidc.login.tokenOrigin: https:\/\/tokens.example.org/,
  ],
  ['gives no codes', { response_types_supported: ['id_token'] }, /does not give codes .*id_token/],
  [
    'has PKCE without S256',
    { code_challenge_methods_supported: ['plain'] },
    /does not take PKCE with S256 .*plain/,
  ],
  ['has no URL as one', { token_endpoint: 'token' }, /its token_endpoint is no URL: token/],
  ['describes itself oddly', { issuer: 7 }, /issuer: unreachable: .*issuer: /],
])('one that %s is told, with what to do', async (_what, over, words) => {
  answers[described] = { ...(answers[described] as object), ...over };
  expect((await badly()).join('\n')).toMatch(words);
});

it('what it does not say is told as that: PKCE and a way to sign out', async () => {
  const {
    code_challenge_methods_supported: _,
    end_session_endpoint: __,
    ...rest
  } = answers[described] as Record<string, unknown>;
  answers[described] = rest;
  const [, , login] = await told();
  expect(login).toMatchObject({
    ok: true,
    text: expect.stringContaining('does not say whether it takes PKCE'),
  });
  expect(login?.text).toContain('stays signed in there');
});

it.each<[string, unknown, RegExp]>([
  ['has no keys', { keys: [] }, /it has none → .*ES256/],
  ['signs with a secret only', { keys: [{ kty: 'oct', alg: 'HS256' }] }, /no key that signs .* oct HS256/],
  ['has keys to encrypt only', { keys: [{ kty: 'RSA', use: 'enc' }] }, /RSA enc/],
  ['has no key set', { error: 'no' }, /unreachable: .*keys: /],
  ['answers no JSON', '<html>', /unreachable/],
  ['does not answer in time', undefined, /no answer within 0.3 s/],
])('one that %s is told', async (_what, keys, words) => {
  answers['/keys'] = keys;
  expect((await badly()).join('\n')).toMatch(words);
});

it('one that is away, or answers at another address, ends the questions', async () => {
  expect(await badly({ at: 'http://127.0.0.1:9' })).toEqual([
    expect.stringMatching(/issuer: unreachable: .* → .*certificate/),
  ]);
  delete answers[described];
  expect(await badly()).toEqual([expect.stringContaining('it answers 404')]);
});

it('by https nothing of it may be by plain HTTP', async () => {
  const secure = 'https://id.example.org';
  const description = {
    ...{ issuer: secure, jwks_uri: 'http://id.example.org/keys' },
    ...{ authorization_endpoint: `${secure}/a`, token_endpoint: 'http://id.example.org/t' },
  };
  const faults = await badly({ issuer: secure, describe: async () => description });
  expect(faults.join('\n')).toMatch(/jwks_uri is not by https.*token_endpoint is not by https/s);
});

it('where its keys are named and nobody signs in by the page, only these are asked for', async () => {
  delete answers[described];
  const findings = await told({ jwksUri: `${issuer}/keys`, login: undefined });
  expect(findings).toMatchObject([{ what: 'api.oidc keys', ok: true }]);
});
