import type { ApiConfig } from '../../config/schema.ts';
import type { Login } from '../api/routes/login.ts';

/** Where the page signs people in, as `api.oidc.login` says. */
export function loginOf(api: ApiConfig | undefined): Login | undefined {
  const oidc = api?.oidc;
  if (oidc?.login === undefined) return undefined;
  const { issuer, clockSkewMs, login } = oidc;
  return {
    ...{ issuer, clockSkewMs, clientId: login.clientId, tokenOrigin: login.tokenOrigin },
    name: login.name ?? new URL(issuer).host,
    // Without openid it would be no login: nothing would carry the nonce.
    scopes: [...new Set(['openid', ...login.scopes])],
  };
}
