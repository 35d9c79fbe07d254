/** An OpenID Connect provider of the test's own on 127.0.0.1: discovery, keys, a page to sign in at, and tokens for a code once, by its verifier. */
import { createHash, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';

/** Whom it knows, by their claims. */
const people: Readonly<Record<string, JWTPayload>> = {
  olga: { preferred_username: 'olga', groups: ['staff', 'hpc-ops'] },
  alice: { preferred_username: 'alice', groups: ['students'] },
};

/** How it does its work now; a test sets what it is about. */
export interface Ways {
  /** How long an access token is good. */
  lifeSeconds: number;
  /** What it says of that. */
  saysSeconds: number | undefined;
  /** Gives refresh tokens, each good once. */
  refreshes: boolean;
  /** Answers nothing. */
  down: boolean;
  /** Its clock is so far ahead. */
  aheadSeconds: number;
  audience: string;
  /** In place of the nonce that was asked with. */
  nonce: string | undefined;
  /** In place of its own token endpoint. */
  tokensAt: string | undefined;
  /** Has a way to sign out. */
  ends: boolean;
}

const usual: Ways = {
  ...{ lifeSeconds: 300, saysSeconds: undefined, refreshes: false, down: false, aheadSeconds: 0 },
  ...{ audience: 'spillway', nonce: undefined, tokensAt: undefined, ends: false },
};

export interface Issuer {
  readonly url: string;
  readonly ways: Ways;
  /** What its token endpoint was asked, and answered. */
  readonly asked: { readonly form: Readonly<Record<string, string>>; readonly status: number }[];
  /** What its sign-in page was asked. */
  readonly signIns: Readonly<Record<string, string>>[];
  readonly revoked: string[];
  /** Sign-outs that it was asked for. */
  readonly ended: Readonly<Record<string, string>>[];
  /** The one client: public, with this page as its own. */
  register(origin: string): void;
  reset(): void;
  close(): Promise<void>;
}

interface Asked {
  readonly query: Readonly<Record<string, string>>;
  readonly who: string;
}

export const clientId = 'spillway-page';
const random = (): string => randomBytes(24).toString('base64url');
const page = (body: string): string =>
  `<!doctype html><title>Test institute</title><h1>Test institute</h1>${body}`;

export async function openIssuer(): Promise<Issuer> {
  const keys = await generateKeyPair('ES256');
  const jwk = { ...(await exportJWK(keys.publicKey)), kid: 'one', alg: 'ES256', use: 'sig' };
  const ways = { ...usual };
  const asked: Issuer['asked'] = [];
  const signIns: Issuer['signIns'] = [];
  const revoked: string[] = [];
  const ended: Issuer['ended'] = [];
  const codes = new Map<string, Asked>();
  const refreshTokens = new Map<string, Asked>();
  let origin = '';
  let url = '';

  const sign = (claims: JWTPayload, seconds: number): Promise<string> => {
    const at = Math.floor(Date.now() / 1000) + ways.aheadSeconds;
    return new SignJWT({ iss: url, iat: at, exp: at + seconds, ...claims })
      .setProtectedHeader({ alg: 'ES256', kid: 'one' })
      .sign(keys.privateKey);
  };

  const tokensFor = async (of: Asked, first: boolean): Promise<object> => {
    const { who, query } = of;
    const refresh = random();
    if (ways.refreshes) refreshTokens.set(refresh, of);
    return {
      token_type: 'Bearer',
      expires_in: ways.saysSeconds ?? ways.lifeSeconds,
      access_token: await sign(
        { ...people[who], sub: who, aud: ways.audience, jti: random() },
        ways.lifeSeconds,
      ),
      ...(ways.refreshes ? { refresh_token: refresh } : {}),
      ...(first
        ? { id_token: await sign({ sub: who, aud: clientId, nonce: ways.nonce ?? query.nonce }, 300) }
        : {}),
    };
  };

  /** Who may have tokens by this, and why nobody. */
  const grant = (form: Readonly<Record<string, string>>): Asked | string => {
    if (form.client_id !== clientId) return 'unknown client';
    if (form.grant_type === 'refresh_token') {
      const of = refreshTokens.get(form.refresh_token ?? '');
      refreshTokens.delete(form.refresh_token ?? '');
      return of ?? 'no such refresh token';
    }
    const of = codes.get(form.code ?? '');
    codes.delete(form.code ?? '');
    if (form.grant_type !== 'authorization_code' || of === undefined) return 'no such code';
    if (form.redirect_uri !== of.query.redirect_uri) return 'another redirect_uri';
    const challenge = createHash('sha256')
      .update(form.code_verifier ?? '')
      .digest('base64url');
    return challenge === of.query.code_challenge ? of : 'code_verifier does not match';
  };

  const token = async (res: ServerResponse, form: Readonly<Record<string, string>>): Promise<void> => {
    const of = grant(form);
    const status = typeof of === 'string' ? 400 : 200;
    asked.push({ form, status });
    const body =
      typeof of === 'string'
        ? { error: 'invalid_grant', error_description: of }
        : await tokensFor(of, form.grant_type === 'authorization_code');
    res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  };

  const authorize = (res: ServerResponse, query: Readonly<Record<string, string>>): void => {
    signIns.push(query);
    const wrong =
      query.client_id !== clientId ||
      query.redirect_uri !== `${origin}/login` ||
      query.response_type !== 'code' ||
      query.code_challenge_method !== 'S256' ||
      !/^[\w-]{43}$/.test(query.code_challenge ?? '') ||
      !query.scope?.split(' ').includes('openid');
    if (wrong) return void res.writeHead(400).end(page(`<p>no such client, or no PKCE</p>`));
    const as = (who: string): string =>
      `/as/${who}?${new URLSearchParams({ ...query })}`.replaceAll('&', '&amp;');
    const links = [...Object.keys(people), 'nobody'].map((who) => `<p><a href="${as(who)}">${who}</a></p>`);
    res.writeHead(200, { 'content-type': 'text/html' }).end(page(links.join('')));
  };

  const answer = (res: ServerResponse, who: string, query: Readonly<Record<string, string>>): void => {
    const back = new URL(query.redirect_uri ?? '');
    const code = random();
    const says = Object.hasOwn(people, who)
      ? { code }
      : { error: 'access_denied', error_description: 'nobody may not enter' };
    codes.set(code, { query, who });
    for (const [name, value] of Object.entries({ ...says, state: query.state ?? '', iss: url }))
      back.searchParams.set(name, value);
    res.writeHead(302, { location: String(back) }).end();
  };

  const serve = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    if (ways.down) return void req.socket.destroy();
    const { pathname, searchParams } = new URL(req.url ?? '/', url);
    const query = Object.fromEntries(searchParams);
    if (req.headers.origin === origin) res.setHeader('access-control-allow-origin', origin);
    const json = (body: object) =>
      res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    const [, as] = /^\/as\/(\w+)$/.exec(pathname) ?? [];
    if (as !== undefined) return answer(res, as, query);
    if (pathname === '/.well-known/openid-configuration')
      return void json({
        ...{ issuer: url, jwks_uri: `${url}/keys`, authorization_endpoint: `${url}/authorize` },
        ...{ token_endpoint: ways.tokensAt ?? `${url}/token`, revocation_endpoint: `${url}/revoke` },
        ...{ response_types_supported: ['code'], subject_types_supported: ['public'] },
        ...(ways.ends ? { end_session_endpoint: `${url}/end` } : {}),
        id_token_signing_alg_values_supported: ['ES256'],
        authorization_response_iss_parameter_supported: true,
      });
    // A browser asks for it by itself.
    if (pathname === '/favicon.ico') return void res.writeHead(204).end();
    if (pathname === '/keys') return void json({ keys: [jwk] });
    if (pathname === '/end') {
      ended.push(query);
      const ours = query.client_id === clientId && query.post_logout_redirect_uri === `${origin}/login`;
      if (!ours) return void res.writeHead(400).end(page('<p>no such client</p>'));
      return void res.writeHead(302, { location: query.post_logout_redirect_uri }).end();
    }
    if (pathname === '/authorize') return authorize(res, query);
    const form = Object.fromEntries(new URLSearchParams(await textOf(req)));
    if (req.method === 'POST' && pathname === '/token') return token(res, form);
    if (req.method === 'POST' && pathname === '/revoke') {
      refreshTokens.delete(form.token ?? '');
      revoked.push(form.token ?? '');
      return void res.writeHead(200).end();
    }
    res.writeHead(404).end();
  };

  const server = createServer((req, res) => void serve(req, res)).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    ...{ url, ways, asked, signIns, revoked, ended },
    register: (its) => {
      origin = its;
    },
    reset: () => {
      Object.assign(ways, usual);
      for (const list of [asked, signIns, revoked, ended]) list.length = 0;
    },
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

async function textOf(req: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of req) text += String(chunk);
  return text;
}
