import { now, session } from './browser.ts';

/** The token that this tab sends. No cookie: what nobody else's page can send along needs no guard against it. Gone with the tab. */
export const token = {
  read: () => session.read('token'),
  /** `until`, in milliseconds since 1970: of one that a login brought, where the issuer says how long it is good. */
  write(text: string | undefined, until?: number): void {
    session.write('token', text);
    session.write('until', until === undefined ? undefined : String(until));
  },
  /** Its time is over, as this browser reckons; of a token that was pasted nothing is known. */
  over(): boolean {
    const until = session.read('until');
    return until !== undefined && now() >= Number(until);
  },
};
