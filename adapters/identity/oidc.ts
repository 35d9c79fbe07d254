import { createRemoteJWKSet, customFetch, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose';
import { z } from 'zod';
import type { OidcConfig } from '../../config/schema.ts';
import { type Caller, type Role, unixName } from '../../src/domain/caller.ts';
import { PortError } from '../../src/domain/fault.ts';
import type { IdentityPort } from '../../src/ports.ts';
import { refusalOf, refused } from './jwt.ts';
import { bodyAt } from './provider.ts';

/**
 * Bearer tokens of an OpenID Connect provider: signed by one of its keys, for us, within their time. Only signatures by a key pair are
 * taken, so neither `none` nor a MAC with a public key as its secret passes. [OpenID Connect Discovery 1.0; RFC 7519; RFC 8725]
 */
export const algorithms = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  // The same signature by its newer name. [RFC 9864]
  'Ed25519',
];
/** A key that is not known is looked for at most so often: an invented key id must not make us ask for each request. */
const cooldownMs = 10_000;
/** While it does not answer it is asked no oftener: whoever comes meanwhile is told so, whatever key his token names. */
const awayMs = 1_000;
/** Keys that were taken back are forgotten by then. */
const keysForMs = 600_000;

const discovery = z.object({ issuer: z.string(), jwks_uri: z.url() });

export function oidcIdentity(config: OidcConfig): IdentityPort {
  const keysFrom = keysOf(config);
  return {
    who: async (token) => callerOf(await verified(token, await keysFrom(), config), config),
  };
}

/** The keys' address, asked for once it is needed; a failure is asked anew. */
function keysOf(config: OidcConfig): () => Promise<JWTVerifyGetKey> {
  let keys: Promise<JWTVerifyGetKey> | undefined;
  const address = sparing(() => addressOf(config));
  return () => {
    keys ??= address().then((url) =>
      createRemoteJWKSet(url, {
        [customFetch]: sparing(keysAt),
        cooldownDuration: cooldownMs,
        cacheMaxAge: keysForMs,
        timeoutDuration: config.timeoutMs,
      }),
    );
    const asked = keys;
    return asked.catch((e: unknown) => {
      if (keys === asked) keys = undefined;
      throw e;
    });
  };
}

/** What failed just now fails alike, unasked. */
function sparing<Args extends readonly unknown[], T>(
  ask: (...args: Args) => Promise<T>,
): (...args: Args) => Promise<T> {
  let failed: { readonly at: number; readonly error: unknown } | undefined;
  return async (...args) => {
    if (failed !== undefined && performance.now() - failed.at < awayMs) throw failed.error;
    failed = undefined;
    try {
      return await ask(...args);
    } catch (error) {
      failed = { at: performance.now(), error };
      throw error;
    }
  };
}

async function keysAt(url: string, init: RequestInit): Promise<Response> {
  const response = await fetch(url, init);
  if (response.status !== 200) throw new Error(`it answers ${response.status}`);
  return response;
}

async function addressOf({ issuer, jwksUri, timeoutMs }: OidcConfig): Promise<URL> {
  if (jwksUri !== undefined) return new URL(jwksUri);
  const at = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  let body: unknown;
  try {
    body = await bodyAt(at, timeoutMs);
  } catch (e) {
    throw new PortError('unreachable', 'identity.who', `${at}: ${reasonOf(e)}`, { cause: e });
  }
  const read = discovery.safeParse(body);
  if (!read.success || read.data.issuer !== issuer)
    throw new PortError(
      'unreachable',
      'identity.who',
      `${at}: it does not say issuer "${issuer}" and jwks_uri; write api.oidc.issuer exactly as it does`,
    );
  return new URL(read.data.jwks_uri);
}

async function verified(token: string, keys: JWTVerifyGetKey, config: OidcConfig): Promise<JWTPayload> {
  const { issuer, audience, clockSkewMs } = config;
  try {
    const { payload } = await jwtVerify(token, keys, {
      ...{ issuer, audience, algorithms },
      clockTolerance: clockSkewMs / 1000,
      requiredClaims: ['exp'],
    });
    return payload;
  } catch (e) {
    throw refusalOf(e, words) ?? keysAway(issuer, e);
  }
}

const words = { over: 'get a new one', unsigned: "the token is not signed by one of the provider's keys" };

const keysAway = (issuer: string, e: unknown): PortError =>
  new PortError('unreachable', 'identity.who', `the keys of ${issuer}: ${reasonOf(e)}`, { cause: e });

const reasonOf = (e: unknown): string => {
  const cause = (e as { cause?: { code?: string } } | undefined)?.cause;
  return cause?.code ?? (e instanceof Error ? e.message : String(e));
};

function callerOf(
  claims: JWTPayload,
  { userClaim, domain, roleClaim, operators, admins }: OidcConfig,
): Caller {
  const told = claimAt(claims, userClaim);
  if (typeof told !== 'string') throw refused(`the token has no ${userClaim} (api.oidc.userClaim)`);
  const end = domain === undefined ? '' : `@${domain}`;
  // As it is, or not at all: alice of elsewhere is not our alice.
  if (!told.endsWith(end)) throw refused(`the token's ${userClaim} is not of ${domain}`);
  const name = told.slice(0, told.length - end.length);
  if (!unixName.test(name))
    throw refused(`the token's ${userClaim} is no Unix name (api.oidc.userClaim, api.oidc.domain)`);
  return { name, role: roleOf(claimAt(claims, roleClaim), operators, admins), by: 'oidc' };
}

function roleOf(told: unknown, operators: readonly string[], admins: readonly string[]): Role {
  const groups: readonly unknown[] = Array.isArray(told) ? told : [told];
  const any = (of: readonly string[]) => groups.some((g) => typeof g === 'string' && of.includes(g));
  return any(admins) ? 'admin' : any(operators) ? 'operator' : 'user';
}

/** A claim whose name holds dots itself, as URLs do, comes first. */
function claimAt(claims: JWTPayload, path: string): unknown {
  if (Object.hasOwn(claims, path)) return claims[path];
  let at: unknown = claims;
  for (const key of path.split('.')) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, key)) return undefined;
    at = (at as Record<string, unknown>)[key];
  }
  return at;
}
