/**
 * A provider that others made and the OpenID Foundation certified (npm oidc-provider), on 127.0.0.1: its own discovery, keys, sessions, codes, tokens and
 * sign-out. Whom it lets in, how it signs and what it writes into tokens a test says; where people sign in is a page of links, as it leaves that to its site.
 */
import { createHash, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, type JWK } from 'jose';
import { Provider } from 'oidc-provider';

const people: Readonly<Record<string, object>> = {
  olga: { preferred_username: 'olga', groups: ['staff', 'hpc-ops'] },
  alice: { preferred_username: 'alice', groups: ['students'] },
};

export const clientId = 'spillway-page';
/** What stands in its access tokens' aud. */
export const audience = 'spillway';
/** By which name it knows that API [RFC 8707]. */
const resource = 'urn:spillway:api';

interface Parts {
  readonly header: Record<string, unknown>;
  readonly payload: Record<string, unknown>;
}

export interface Ways {
  /** What access tokens are signed with; one of its keys must be of that kind. */
  alg: string;
  /** Access tokens are good for so long. */
  lifeSeconds: number;
  /** Where it writes who somebody is; elsewhere it says only `sub`. */
  claimsIn: 'access' | 'id';
  /** Access tokens are no JWTs. */
  opaque: boolean;
  /** A last word on an access token, which is then signed. */
  change: ((parts: Parts) => void) | undefined;
  /** Answers nothing. */
  down: boolean;
}

const usual: Ways = {
  ...{ alg: 'ES256', lifeSeconds: 300, claimsIn: 'access', opaque: false, change: undefined, down: false },
};

export interface Tokens {
  readonly access_token: string;
  readonly id_token: string;
  readonly refresh_token?: string;
}

export interface Certified {
  readonly url: string;
  readonly ways: Ways;
  /** The paths that were asked for, the oldest first, answered or not. */
  readonly asked: string[];
  /** The one client: public, with this page as its own. */
  register(origin: string): void;
  /** It begins anew, with these keys in place of those that it had. */
  restart(keys: readonly JWK[]): void;
  /** Signs in as a browser would, from the first redirect to the tokens. */
  signIn(who: string, scope?: string): Promise<Tokens>;
  reset(): void;
  close(): Promise<void>;
}

export async function keyOf(alg: string, kid = `${alg}-1`): Promise<JWK> {
  const { privateKey } = await generateKeyPair(alg, { extractable: true });
  // An Ed25519 key signs by either name [RFC 9864].
  const named = alg === 'EdDSA' || alg === 'Ed25519' ? {} : { alg };
  return { ...(await exportJWK(privateKey)), ...named, kid, use: 'sig' };
}

export async function openCertified(keys?: readonly JWK[]): Promise<Certified> {
  const ways = { ...usual };
  const asked: string[] = [];
  const cookieKey = randomBytes(16).toString('hex');
  let [origin, url] = ['http://127.0.0.1:1', ''];
  let ours = keys ?? [await keyOf('ES256')];
  let provider: Provider;
  let answer: ReturnType<Provider['callback']>;

  const claims = (who: string): object => people[who] ?? {};
  const start = (): void => {
    provider = new Provider(url, {
      jwks: { keys: ours },
      clients: [
        {
          ...{ client_id: clientId, token_endpoint_auth_method: 'none' },
          ...{ redirect_uris: [`${origin}/login`], post_logout_redirect_uris: [`${origin}/login`] },
          ...{ grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'] },
          id_token_signed_response_alg: ours.some((k) => k.alg === 'RS256') ? 'RS256' : idAlgOf(ours[0]),
        },
      ],
      scopes: ['openid', 'offline_access', 'profile'],
      claims: { openid: ['sub'], profile: ['preferred_username', 'groups'] },
      conformIdTokenClaims: false,
      clientBasedCORS: (_: unknown, from: string) => from === origin,
      cookies: { keys: [cookieKey] },
      interactions: { url: (_: unknown, { uid }: { uid: string }) => `/interaction/${uid}` },
      findAccount: (_: unknown, sub: string) => ({
        accountId: sub,
        claims: () => ({ sub, ...(ways.claimsIn === 'id' ? claims(sub) : {}) }),
      }),
      extraTokenClaims: (_: unknown, { accountId }: { accountId: string }) =>
        ways.claimsIn === 'access' ? claims(accountId) : undefined,
      formats: { customizers: { jwt: (_: unknown, __: unknown, parts: Parts) => ways.change?.(parts) } },
      features: {
        ...{ devInteractions: { enabled: false }, revocation: { enabled: true } },
        rpInitiatedLogout: {
          enabled: true,
          logoutSource: (ctx: { body: string }, form: string) => {
            const button =
              '<button type="submit" form="op.logoutForm" name="logout" value="yes">Leave</button>';
            ctx.body = page(`${form}${button}`);
          },
        },
        resourceIndicators: {
          enabled: true,
          defaultResource: () => resource,
          useGrantedResource: () => true,
          getResourceServerInfo: () => ({
            ...{ scope: '', audience, accessTokenTTL: ways.lifeSeconds },
            ...(ways.opaque ? {} : { accessTokenFormat: 'jwt', jwt: { sign: { alg: ways.alg } } }),
          }),
        },
      },
      ttl: { IdToken: 300, RefreshToken: 3_600, Session: 3_600, Grant: 3_600, Interaction: 600 },
    });
    answer = provider.callback();
  };

  const interact = async (req: IncomingMessage, res: ServerResponse, who: string | undefined) => {
    const { uid, prompt, session } = await provider.interactionDetails(req, res);
    const finish = (result: object, mergeWithLastSubmission = false) =>
      provider.interactionFinished(req, res, result, { mergeWithLastSubmission });
    if (prompt.name === 'consent') {
      const grant = new provider.Grant({ accountId: session?.accountId ?? '', clientId });
      grant.addOIDCScope('openid profile offline_access');
      grant.addResourceScope(resource, '');
      return finish({ consent: { grantId: await grant.save() } }, true);
    }
    if (who === undefined) {
      const links = [...Object.keys(people), 'nobody'].map(
        (name) => `<p><a href="/interaction/${uid}/${name}">${name}</a></p>`,
      );
      return void res.writeHead(200, { 'content-type': 'text/html' }).end(page(links.join('')));
    }
    if (Object.hasOwn(people, who)) return finish({ login: { accountId: who } });
    return finish({ error: 'access_denied', error_description: 'nobody may not enter' });
  };

  const serve = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const { pathname } = new URL(req.url ?? '/', url);
    asked.push(pathname);
    if (ways.down) return void req.socket.destroy();
    // A browser asks for it by itself.
    if (pathname === '/favicon.ico') return void res.writeHead(204).end();
    const [, who] = /^\/interaction\/[\w-]+(?:\/(\w+))?$/.exec(pathname) ?? [];
    if (pathname.startsWith('/interaction/')) return interact(req, res, who);
    await answer(req, res);
  };

  const server = createServer((req, res) => {
    serve(req, res).catch((e: unknown) => res.writeHead(500).end(String(e)));
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  start();
  return {
    ...{ url, ways, asked },
    register: (its) => {
      origin = its;
      start();
    },
    restart: (its) => {
      ours = its;
      start();
    },
    signIn: (who, scope = 'openid profile') => signInAt(url, `${origin}/login`, who, scope),
    reset: () => {
      Object.assign(ways, usual);
      asked.length = 0;
    },
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

const idAlgOf = (key: JWK | undefined): string => key?.alg ?? 'EdDSA';

const page = (body: string): string =>
  `<!doctype html><title>Test institute</title><h1>Test institute</h1>${body}`;

/** Follows every redirect with the provider's cookies, up to the one that leads back to the page. */
async function signInAt(issuer: string, redirectUri: string, who: string, scope: string): Promise<Tokens> {
  const cookies = new Map<string, string>();
  const verifier = randomBytes(32).toString('base64url');
  const question = new URLSearchParams({
    ...{
      response_type: 'code',
      client_id: clientId,
      redirect_uri: redirectUri,
      scope,
      state: 's',
      nonce: 'n',
    },
    ...{ code_challenge_method: 'S256' },
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
  });
  let at = `${issuer}/auth?${question}`;
  while (!at.startsWith(redirectUri)) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await fetch(at, { redirect: 'manual', headers: { cookie } });
    for (const set of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(set) ?? [];
      cookies.set(name, value);
    }
    const text = await response.text();
    const next = response.headers.get('location') ?? new RegExp(`href="([^"]+/${who})"`).exec(text)?.[1];
    if (next === undefined) throw new Error(`${at} leads nowhere: ${response.status} ${text.slice(0, 300)}`);
    at = new URL(next, issuer).href;
  }
  const code = new URL(at).searchParams.get('code');
  if (code === null) throw new Error(`no code: ${at}`);
  const response = await fetch(`${issuer}/token`, {
    method: 'POST',
    body: new URLSearchParams({
      ...{ grant_type: 'authorization_code', code, redirect_uri: redirectUri },
      ...{ client_id: clientId, code_verifier: verifier },
    }),
  });
  if (!response.ok) throw new Error(`no tokens: ${await response.text()}`);
  return (await response.json()) as Tokens;
}
