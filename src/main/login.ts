import type { Log } from '../../adapters/wrap.ts';
import type { ApiConfig } from '../../config/schema.ts';
import type { Login } from '../api/routes/login.ts';
import type { Logins } from '../engine/logins.ts';
import type { LoginHosts } from '../stream/listen.ts';
import { LoginDoor } from '../stream/login.ts';
import { scheduler } from './ground.ts';

/** Where the page signs people in, as `api.oidc.login` says. */
export function loginOf(api: ApiConfig | undefined): Login | undefined {
  const oidc = api?.oidc;
  if (oidc?.login === undefined) return undefined;
  const { issuer, clockSkewMs, login } = oidc;
  return {
    ...{ issuer, clockSkewMs, clientId: login.clientId, tokenOrigin: login.tokenOrigin },
    ...(login.prompt === undefined ? {} : { prompt: login.prompt }),
    name: login.name ?? new URL(issuer).host,
    // Without openid it would be no login: nothing would carry the nonce.
    scopes: [...new Set(['openid', ...login.scopes])],
  };
}

/** Each login host's questions, by the name in its certificate. Undefined: no host may sign anybody in. */
export function loginsOf(
  api: ApiConfig | undefined,
  logins: Pick<Logins, 'lend' | 'holds'>,
  told: Log,
): LoginHosts | undefined {
  if (api === undefined || api.loginHosts.length === 0) return undefined;
  const hosts = new Set(api.loginHosts);
  const door = new LoginDoor({
    scheduler,
    lend: (proved) => logins.lend(proved),
    holds: (kept) => logins.holds(kept),
    note: (text, about) => told.info(about, `logins: ${text}`),
  });
  return { knows: (host) => hosts.has(host), accept: (socket, host) => door.accept(socket, host) };
}
