/** What `doctor` says of the site's identity provider: whether what `api.oidc` needs of it holds. */
import { type Finding, probe } from './doctor.ts';

/** As it describes itself, in the names of its document. */
export interface Described {
  readonly issuer: string;
  readonly jwks_uri?: string | undefined;
  readonly authorization_endpoint?: string | undefined;
  readonly token_endpoint?: string | undefined;
  readonly end_session_endpoint?: string | undefined;
  readonly response_types_supported?: readonly string[] | undefined;
  readonly code_challenge_methods_supported?: readonly string[] | undefined;
  readonly id_token_signing_alg_values_supported?: readonly string[] | undefined;
}

interface Key {
  readonly kty: string;
  readonly use?: string | undefined;
  readonly alg?: string | undefined;
}

export interface OidcAsked {
  readonly issuer: string;
  readonly jwksUri: string | undefined;
  /** Where the page signs people in, where it does. */
  readonly login: { readonly tokenOrigin?: string | undefined } | undefined;
  /** Signatures that the API takes. */
  readonly algorithms: readonly string[];
  describe(): Promise<Described>;
  keys(address: string): Promise<readonly Key[]>;
}

/** Asks the provider what anybody may ask it. */
export async function* examineOidc(asked: OidcAsked): AsyncGenerator<Finding> {
  const { issuer, jwksUri, login } = asked;
  let described: Described | undefined;
  // Where the keys are named and the page signs nobody in, nothing else is ever asked of it.
  if (jwksUri === undefined || login !== undefined) {
    const reached = await probe(
      'api.oidc.issuer',
      async () => {
        described = await asked.describe();
        return described.issuer;
      },
      'the provider must answer this host by https with a certificate that it trusts (NODE_EXTRA_CA_CERTS for one of your own); api.oidc.timeout says for how long it is waited',
    );
    yield described === undefined || described.issuer === issuer ? reached : mismatched(described.issuer);
    if (described === undefined || described.issuer !== issuer) return;
  }
  yield await examineKeys(asked, jwksUri ?? described?.jwks_uri);
  if (login !== undefined && described !== undefined) yield examineLogin(issuer, login, described);
}

const mismatched = (says: string): Finding => ({
  ...{ what: 'api.oidc.issuer', ok: false, text: `the provider calls itself "${says}"` },
  todo: `write api.oidc.issuer exactly so, if that is yours: its tokens are taken by it`,
});

async function examineKeys(
  { issuer, algorithms, keys }: OidcAsked,
  at: string | undefined,
): Promise<Finding> {
  const what = 'api.oidc keys';
  const odd = at === undefined ? 'it names no jwks_uri' : oddOf('jwks_uri', at, issuer);
  if (at === undefined || odd !== undefined)
    return { what, ok: false, text: odd ?? '', todo: 'write api.oidc.jwksUri, where its keys are by https' };
  return probe(
    what,
    async () => {
      const all = await keys(at);
      const good = all.filter(({ kty, use, alg }) => {
        const signs = ['RSA', 'EC', 'OKP'].includes(kty) && use !== 'enc';
        return signs && (alg === undefined || algorithms.includes(alg));
      });
      if (good.length > 0) return `${good.length} of ${all.length} keys at ${at} sign what the API takes`;
      const has = all.map(({ kty, use, alg }) => [kty, alg, use].filter(Boolean).join(' ')).join(', ');
      throw new Error(`${at} has no key that signs what the API takes: ${has === '' ? 'it has none' : has}`);
    },
    `the provider must sign its access tokens by one of ${algorithms.join(', ')}`,
  );
}

function examineLogin(issuer: string, login: NonNullable<OidcAsked['login']>, of: Described): Finding {
  const what = 'api.oidc.login';
  const faults = [...endpointFaults(issuer, login.tokenOrigin, of), ...wayFaults(of)];
  const [first] = faults;
  if (first !== undefined)
    return { what, ok: false, text: faults.map(([text]) => text).join('; '), todo: first[1] };
  const pkce =
    of.code_challenge_methods_supported === undefined
      ? 'it does not say whether it takes PKCE with S256, which the first sign-in shows'
      : 'authorization code with PKCE (S256)';
  const out =
    of.end_session_endpoint === undefined
      ? 'it has no end_session_endpoint: who signs out stays signed in there'
      : 'who signs out is signed out there, too';
  return {
    what,
    ok: true,
    text: `${pkce}; ${out}; that the client is registered is seen with the first sign-in`,
  };
}

type Fault = readonly [text: string, todo: string];

function endpointFaults(issuer: string, tokenOrigin: string | undefined, of: Described): Fault[] {
  const faults: Fault[] = [];
  for (const name of ['authorization_endpoint', 'token_endpoint', 'end_session_endpoint'] as const) {
    const at = of[name];
    const odd = at === undefined ? `it has no ${name}` : oddOf(name, at, issuer);
    if (odd !== undefined && !(at === undefined && name === 'end_session_endpoint'))
      faults.push([odd, 'have the provider mend it, or leave login out: API tokens work as before']);
  }
  const { token_endpoint: tokens } = of;
  if (tokens !== undefined && URL.canParse(tokens)) {
    const { origin } = new URL(tokens);
    if (origin !== new URL(issuer).origin && origin !== tokenOrigin)
      faults.push([
        `its token endpoint is at ${origin}, which the page may not ask`,
        `write api.oidc.login.tokenOrigin: ${origin}`,
      ]);
  }
  return faults;
}

function wayFaults(of: Described): Fault[] {
  const faults: Fault[] = [];
  const { response_types_supported: types, code_challenge_methods_supported: challenges } = of;
  if (types !== undefined && !types.includes('code'))
    faults.push([
      `it does not give codes (response_types_supported: ${types.join(', ')})`,
      'allow the authorization code flow at the provider',
    ]);
  if (challenges !== undefined && !challenges.includes('S256'))
    faults.push([
      `it does not take PKCE with S256 (code_challenge_methods_supported: ${challenges.join(', ') || 'none'})`,
      'allow PKCE with S256 at the provider, or leave login out',
    ]);
  return faults;
}

/** Plain HTTP gives tokens away, but for a provider on this host itself. */
function oddOf(name: string, at: string, issuer: string): string | undefined {
  if (!URL.canParse(at)) return `its ${name} is no URL: ${at}`;
  const plain = new URL(at).protocol !== 'https:' && !issuer.startsWith('http:');
  return plain ? `its ${name} is not by https: ${at}` : undefined;
}
