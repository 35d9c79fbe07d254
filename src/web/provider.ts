/**
 * What is asked of the site's identity provider: authorization code with PKCE, by a client without a secret. [RFC 6749, 7636 and 9700;
 * OpenID Connect Core 1.0, section 3.1] All of it throws a `LoginFault`, or what `loginFaultOf` makes one of.
 */
import * as oauth from 'oauth4webapi';
import type { LoginView } from '../api/portal-schemas.ts';
import { within } from './browser.ts';
import { LoginFault } from './login-fault.ts';

export type Login = NonNullable<LoginView['oidc']>;

/** As it describes itself. */
export interface Provider {
  readonly login: Login;
  readonly server: oauth.AuthorizationServer;
  readonly client: oauth.Client;
}

/** By these an answer is known to be one to this browser's question. */
export interface Proof {
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
}

export const newProof = (): Proof => ({
  state: oauth.generateRandomState(),
  nonce: oauth.generateRandomNonce(),
  verifier: oauth.generateRandomCodeVerifier(),
});

export interface Grant {
  /** What the API takes. */
  readonly access: string;
  readonly refresh: string | undefined;
  /** How long `access` is good from now on; undefined: it was not said. */
  readonly lifeMs: number | undefined;
  /** Names the sign-in to the provider, when it is to end. */
  readonly idToken: string | undefined;
}

/** For one answer. */
const answerMs = 15_000;

/** Only a loopback issuer has plain HTTP: the gateway's configuration saw to it. */
const isPlain = ({ issuer }: Login): boolean => issuer.startsWith('http:');

const asking = (login: Login) => ({
  [oauth.allowInsecureRequests]: isPlain(login),
  [oauth.customFetch]: ask,
  signal: within(answerMs),
});

type Asked = Omit<RequestInit, 'body'> & { readonly body?: BodyInit | null | undefined };

async function ask(url: string, { body = null, ...init }: Asked): Promise<Response> {
  let response: Response;
  try {
    // What is given back at the end goes on while the browser leaves.
    response = await fetch(url, { ...init, body, credentials: 'omit', cache: 'no-store', keepalive: true });
  } catch (e) {
    throw new LoginFault('unreachable', e instanceof Error ? e.message : String(e));
  }
  if (response.status >= 500) throw new LoginFault('unreachable', `it answers ${response.status}`);
  return response;
}

/** The page's policy lets it ask there. */
const mayAsk = ({ issuer, tokenOrigin }: Login, url: string): boolean =>
  [issuer, tokenOrigin].some((at) => at !== undefined && new URL(at).origin === new URL(url).origin);

export async function providerOf(login: Login): Promise<Provider> {
  const at = new URL(login.issuer);
  const server = await oauth.processDiscoveryResponse(at, await oauth.discoveryRequest(at, asking(login)));
  const { token_endpoint: tokens = login.issuer } = server;
  // The browser would say so on its console only.
  if (!mayAsk(login, tokens))
    throw new LoginFault('failed', `${new URL(tokens).origin} is not api.oidc.login.tokenOrigin`);
  const client: oauth.Client = {
    ...{ client_id: login.clientId, token_endpoint_auth_method: 'none' },
    [oauth.clockTolerance]: login.clockSkewMs / 1_000,
  };
  return { login, server, client };
}

/** Where the browser goes to sign in. */
export async function signInAt(
  { login, server }: Provider,
  { state, nonce, verifier }: Proof,
  redirectUri: string,
): Promise<URL> {
  const at = new URL(server.authorization_endpoint ?? '');
  oauth.checkProtocol(at, !isPlain(login));
  const asked = {
    ...{ response_type: 'code', client_id: login.clientId, redirect_uri: redirectUri },
    ...{ scope: login.scopes.join(' '), state, nonce, code_challenge_method: 'S256' },
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    ...(login.prompt === undefined ? {} : { prompt: login.prompt }),
  };
  for (const [name, value] of Object.entries(asked)) at.searchParams.set(name, value);
  return at;
}

/** The code in this answer for tokens. */
export async function redeem(
  { login, server, client }: Provider,
  answer: URLSearchParams,
  { state, nonce, verifier }: Proof,
  redirectUri: string,
): Promise<Grant> {
  const code = oauth.validateAuthResponse(server, client, answer, state);
  const response = await oauth.authorizationCodeGrantRequest(
    ...([server, client, oauth.None(), code, redirectUri, verifier] as const),
    asking(login),
  );
  const expected = { expectedNonce: nonce, requireIdToken: true };
  return grantOf(await oauth.processAuthorizationCodeResponse(server, client, response, expected));
}

export async function renew({ login, server, client }: Provider, refresh: string): Promise<Grant> {
  const response = await oauth.refreshTokenGrantRequest(
    ...([server, client, oauth.None(), refresh] as const),
    asking(login),
  );
  const next = grantOf(await oauth.processRefreshTokenResponse(server, client, response));
  return { ...next, refresh: next.refresh ?? refresh };
}

/** So that nobody renews with it any more. Not every provider takes one back. */
export async function revoke({ login, server, client }: Provider, refresh: string): Promise<void> {
  const { revocation_endpoint: at } = server;
  if (at === undefined || !mayAsk(login, at)) return;
  await oauth.revocationRequest(...([server, client, oauth.None(), refresh] as const), asking(login));
}

/** Where the browser goes to end the provider's session, too. Undefined: it has no such address, or none by https. [OpenID Connect RP-Initiated Logout 1.0] */
export function signOutAt(
  { login, server }: Provider,
  idToken: string | undefined,
  redirectUri: string,
): URL | undefined {
  const { end_session_endpoint: address } = server;
  // One that nobody may be sent to is none: it keeps nobody from signing in.
  if (address === undefined || !URL.canParse(address)) return undefined;
  const at = new URL(address);
  if (at.protocol !== 'https:' && !(isPlain(login) && at.protocol === 'http:')) return undefined;
  at.searchParams.set('client_id', login.clientId);
  at.searchParams.set('post_logout_redirect_uri', redirectUri);
  if (idToken !== undefined) at.searchParams.set('id_token_hint', idToken);
  return at;
}

const grantOf = (got: oauth.TokenEndpointResponse): Grant => ({
  access: got.access_token,
  refresh: got.refresh_token,
  idToken: got.id_token,
  lifeMs: got.expires_in === undefined || got.expires_in === 0 ? undefined : got.expires_in * 1_000,
});
