/** Signing in at the site's identity provider. What it brings, an access token, is held as one that was pasted. */
import { now, session } from './browser.ts';
import { token } from './held.ts';
import { LoginFault, loginFaultOf } from './login-fault.ts';
import {
  type Grant,
  type Login,
  newProof,
  type Proof,
  providerOf,
  redeem,
  signInAt,
  signOutAt,
} from './provider.ts';
import { Renewal } from './renewal.ts';

/** Where the provider sends people back to: its registered redirect URI. */
export const loginPath = '/login';
const redirectUri = (): string => window.location.origin + loginPath;

/** What is remembered while the browser is at the provider, and no longer: also the page's address, to go back to. */
interface Begun extends Proof {
  readonly to: string;
}

/** Good for one answer, whatever that is. */
function takeBegun(): Begun | undefined {
  const text = session.read('login');
  session.write('login', undefined);
  return text === undefined ? undefined : (JSON.parse(text) as Begun);
}

/** Of a sign-in from which somebody came back by himself. */
export const forgetBegun = (): void => session.write('login', undefined);

/** Sends the browser to the provider. Throws a `LoginFault`. */
export async function beginLogin(login: Login): Promise<void> {
  // Elsewhere browsers reckon no challenge.
  if (!window.isSecureContext) throw new LoginFault('insecure');
  const { pathname, search, hash } = window.location;
  const begun: Begun = { ...newProof(), to: pathname + search + hash };
  try {
    const at = await signInAt(await providerOf(login), begun, redirectUri());
    session.write('login', JSON.stringify(begun));
    window.location.assign(at);
  } catch (e) {
    throw loginFaultOf(e);
  }
}

export interface LoginEnd {
  /** What the page is to show now. */
  readonly to: string;
  /** Why nobody is signed in by it. */
  readonly fault: LoginFault | undefined;
}

/** The provider's answer, as it stands in the page's address. */
export async function endLogin(
  answer: URLSearchParams,
  login: () => Promise<Login | undefined>,
): Promise<LoginEnd> {
  const begun = takeBegun();
  const to = ownAddress(begun?.to ?? '/');
  // Somebody only typed the address.
  if (begun === undefined && !answer.has('state')) return { to, fault: undefined };
  try {
    // Before anything is asked: another site may have sent the browser here, with a code of its own.
    if (begun === undefined || answer.get('state') !== begun.state) throw new LoginFault('foreign');
    const at = await login();
    if (at === undefined) throw new LoginFault('failed', 'api.oidc.login');
    await signIn(at, answer, begun);
    return { to, fault: undefined };
  } catch (e) {
    return { to, fault: loginFaultOf(e) };
  }
}

/** On this page alone, whatever was kept. */
function ownAddress(to: string): string {
  const { origin } = window.location;
  if (!URL.canParse(to, origin)) return '/';
  const { pathname, search, hash, origin: there } = new URL(to, origin);
  return there !== origin || pathname.startsWith('//') || pathname === loginPath
    ? '/'
    : pathname + search + hash;
}

let renewal: Renewal | undefined;

async function signIn(login: Login, answer: URLSearchParams, begun: Begun): Promise<void> {
  const provider = await providerOf(login);
  const grant = await redeem(provider, answer, begun, redirectUri());
  forgetLogin();
  hold(grant);
  session.write('login.end', signOutAt(provider, grant.idToken, redirectUri())?.href);
  if (grant.refresh !== undefined) renewal = new Renewal(provider, grant.refresh, grant.lifeMs, hold);
}

const hold = ({ access, lifeMs }: Grant): void =>
  token.write(access, lifeMs === undefined ? undefined : now() + lifeMs);

/** The API did not take this token: whether there is another by now. */
export async function renewed(bearer: string): Promise<boolean> {
  const held = token.read();
  if (held !== bearer) return held !== undefined;
  return (await renewal?.now()) ?? false;
}

/** There is no new token now, and may be one in a moment. */
export const waits = (): boolean => renewal?.waits === true;

/** Nothing renews the token any more; it is still to be forgotten itself. */
export function forgetLogin(): void {
  renewal?.end();
  renewal = undefined;
  session.write('login.end', undefined);
}

/** Forgets the sign-in, and ends it at the provider where that has a way: the browser goes there and comes back. */
export function signOutThere(): void {
  const at = session.read('login.end');
  forgetLogin();
  if (at !== undefined) window.location.assign(at);
}
