/** What `api.oidc.login` says of the page's login. */
import { expect, it } from 'vitest';
import { api } from '../../config/api.ts';
import { loginOf } from '../../src/main/login.ts';

const said = (login?: object) =>
  loginOf(
    api.parse({ oidc: { issuer: 'https://id.example.org/realms/hpc', audience: 'spillway', ...login } }),
  );

it('there is none unless it is configured', () => {
  expect(loginOf(undefined)).toBeUndefined();
  expect(loginOf(api.parse({}))).toBeUndefined();
  expect(said()).toBeUndefined();
});

it('a provider without a name has its host’s, and openid is always asked for, once', () => {
  expect(said({ login: { clientId: 'page' } })).toEqual({
    ...{ issuer: 'https://id.example.org/realms/hpc', clientId: 'page', name: 'id.example.org' },
    ...{ scopes: ['openid'], tokenOrigin: undefined, clockSkewMs: 60_000 },
  });
  expect(said({ login: { clientId: 'page', prompt: 'consent' } })).toMatchObject({ prompt: 'consent' });
  const named = { clientId: 'page', name: 'Example University', scopes: ['profile', 'openid'] };
  expect(said({ login: named })).toMatchObject({ name: 'Example University', scopes: ['openid', 'profile'] });
});
