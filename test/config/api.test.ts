/** Who may be listened for: authentication and what carries it. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { parseConfig } from '../../config/load.ts';

const observe = readFileSync(new URL('../../config/examples/observe.yaml', import.meta.url), 'utf8');
const parsed = (more: string) =>
  parseConfig(`${observe.replace(/^listen:.*(\n[ ]+.*)*\n/m, '')}\n${more}`, 'x.yaml');

it.each<[string, RegExp]>([
  [
    'listen: { http: "0.0.0.0:8080" }',
    /listen\.http: "0\.0\.0\.0" is not loopback, and there is no authentication/,
  ],
  ['listen: { http: "0.0.0.0:8080" }\napi: {}', /tokens would pass in the clear; write listen\.tls/],
  [
    'listen: { http: "0.0.0.0:8080", tls: { cert: c, key: k }, trustedProxy: [10.0.0.5] }\napi: {}',
    /trustedProxy: tls is given too/,
  ],
  ['listen: { trustedProxy: [everybody] }\napi: {}', /trustedProxy\[0\]: "everybody" will not do/],
  ['listen: { tls: { cert: c } }', /listen\.tls\.key: missing/],
  ['api: { oidc: { issuer: "http://id.example.org", audience: a } }', /issuer: .* write its URL by https/],
  ['api: { oidc: { issuer: "https://id.example.org" } }', /audience: missing/],
  ['api: { oidc: { issuer: "https://i", audience: a, clockSkew: 1h } }', /clockSkew: above 5m/],
  [
    'webhooks: [{ name: p, url: "http://p.example.org/", secretFile: f }]',
    /url: .* for all to read; write https/,
  ],
  ['webhooks: [{ name: p, url: "https://a:b@p.example.org/", secretFile: f }]', /url: .* without a password/],
  ['webhooks: [{ name: p, url: "https://p:99999/", secretFile: f }]', /webhooks\[0\]\.url: .* is no URL/],
  ['webhooks: [{ name: p, url: "https://p/", secretFile: f, timeout: 5m }]', /timeout: write from 1s to 1m/],
  ['webhooks: [{ name: p, url: "https://p/" }]', /webhooks\[0\]\.secretFile: missing/],
  [
    'webhooks: [{ name: p, url: "https://p/", secretFile: f }, { name: p, url: "https://q/", secretFile: f }]',
    /webhooks\[1\]\.name: "p" is taken/,
  ],
  ['api: { loginHosts: [login1] }', /listen\.clientCa: missing, and api\.loginHosts needs it/],
  ['api: { loginHosts: [a b] }', /api\.loginHosts\[0\]: .*write the common name in its certificate/],
  ['api: { token: true }', /api\.token: unknown key/],
  [
    'api: { adminsReadOutput: maybe }',
    /adminsReadOutput: .*write true \(each reading stands in the audit\) or false/,
  ],
  ['api: { oidc: { issuer: "https://i", audience: a, login: {} } }', /login\.clientId: missing/],
  [
    'api: { oidc: { issuer: "https://i", audience: a, login: { clientId: c, secret: s } } }',
    /login\.secret: unknown key/,
  ],
  [
    'api: { oidc: { issuer: "https://i; script-src *", audience: a, login: { clientId: c } } }',
    /issuer: .* will not do/,
  ],
  [
    'api: { oidc: { issuer: "https://i;x", audience: a, login: { clientId: c } } }',
    /issuer: "https:\/\/i;x" is none that a page may be let ask/,
  ],
  [
    'api: { oidc: { issuer: "https://*.example.org", audience: a, login: { clientId: c } } }',
    /is none that a page may be let ask/,
  ],
  [
    'api: { oidc: { issuer: "https://i", audience: a, login: { clientId: c, tokenOrigin: "https://t/token" } } }',
    /tokenOrigin: .* without a path/,
  ],
  [
    'api: { oidc: { issuer: "https://i", audience: a, login: { clientId: c, tokenOrigin: "https://1.2.3.456" } } }',
    /tokenOrigin: .*names no host/,
  ],
  [
    'api: { oidc: { issuer: "https://i", audience: a, login: { clientId: c, prompt: none } } }',
    /login\.prompt: .*write login, consent or select_account/,
  ],
  [
    'api: { oidc: { issuer: "https://i", audience: a, login: { clientId: c, scopes: ["a b"] } } }',
    /scopes\[0\]: .* write a scope/,
  ],
  ['api: { slurmJwt: { keyFile: k } }', /slurmJwt\.cluster: missing; write the name of a cluster/],
  ['api: { slurmJwt: { cluster: nowhere, keyFile: k } }', /slurmJwt\.cluster: "nowhere" is no cluster here/],
  ['api: { slurmJwt: { cluster: hpc1 } }', /slurmJwt\.keyFile: missing; .*or jwks: for RS256/],
  [
    'api: { slurmJwt: { cluster: hpc1, keyFile: k, audience: a } }',
    /slurmJwt\.audience: only tokens by jwks/,
  ],
  [
    'api: { slurmJwt: { cluster: hpc1, keyFile: k, userClaim: u } }',
    /slurmJwt\.userClaim: only of tokens by jwks/,
  ],
  ['api: { slurmJwt: { cluster: hpc1, keyFile: k, key: s } }', /slurmJwt\.key: unknown key/],
])('%s is refused: %s', (text, words) => {
  expect(() => parsed(text)).toThrow(words);
});

it.each([
  ['listen: { http: "127.0.0.1:8080" }'],
  ['listen: { http: "127.0.0.1:8080" }\napi: {}'],
  ['listen: { http: "0.0.0.0:8443", tls: { cert: c, key: k } }\napi: {}'],
  ['listen: { http: "0.0.0.0:8080", trustedProxy: [10.0.0.0/24, "fd00::1"] }\napi: { perSecond: 10 }'],
  ['webhooks: [{ name: p, url: "http://10.0.0.9/hook", secretFile: f, allowPrivate: true, kinds: [burst] }]'],
  ['api: { oidc: { issuer: "https://id.example.org/realms/hpc", audience: spillway, admins: [a] } }'],
  [
    'api: { oidc: { issuer: "https://i", audience: a, login: { clientId: c, tokenOrigin: "https://t:8443", scopes: [groups] } } }',
  ],
])('%s is taken', (text) => {
  expect(parsed(text).listen.http.port).toBeGreaterThan(0);
});

it('what a job writes is no admin’s unless the site says so', () => {
  expect(parsed('api: {}').api?.adminsReadOutput).toBe(false);
  expect(parsed('api: { adminsReadOutput: true }').api?.adminsReadOutput).toBe(true);
});
