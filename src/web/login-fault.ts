import * as oauth from 'oauth4webapi';

/** `foreign`: an answer to what nobody began in this tab. `clock`: what came is over already, by this computer's clock. */
export type LoginFaultKind =
  | 'denied'
  | 'refused'
  | 'foreign'
  | 'unreachable'
  | 'clock'
  | 'insecure'
  | 'failed';

/** Why nobody was signed in; `message` is what the provider, the browser or a check said of it. */
export class LoginFault extends Error {
  readonly kind: LoginFaultKind;

  constructor(kind: LoginFaultKind, said = '') {
    super(said);
    this.kind = kind;
  }
}

/** The provider's own words are for people, and could be any. */
const longest = 300;

const saidBy = (error: string, words: string | undefined): string =>
  (words === undefined || words === '' ? error : `${error}: ${words}`).slice(0, longest);

export function loginFaultOf(e: unknown): LoginFault {
  if (e instanceof LoginFault) return e;
  if (e instanceof oauth.AuthorizationResponseError || e instanceof oauth.ResponseBodyError)
    return new LoginFault(
      e.error === 'access_denied' ? 'denied' : 'refused',
      saidBy(e.error, e.error_description),
    );
  if (e instanceof oauth.OperationProcessingError && e.code === oauth.JWT_TIMESTAMP_CHECK)
    return new LoginFault('clock', e.message);
  return new LoginFault('failed', (e instanceof Error ? e.message : String(e)).slice(0, longest));
}
