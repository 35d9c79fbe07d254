import type { Role } from './caller.ts';
import { type AuditLink, auditHash, canonical, chainStart, type Sha256 } from './chain.ts';
import type { Instant } from './ids.ts';

/** An API token as the store keeps it: what would let somebody in is not in it. */
export interface ApiToken {
  /** `token/ID`, the subject of its audit rows; ID is the middle of the token itself. */
  readonly id: string;
  readonly user: string;
  readonly role: Role;
  /** It opens what is read or asked, and gives no orders. Left out, it does what its role may. */
  readonly scope?: 'read' | undefined;
  /** SHA-256 of the secret, which is 256 random bits: nothing slower is needed. */
  readonly hash: string;
  readonly note: string;
  readonly until: Instant;
  readonly state: 'made' | 'revoked';
  /** Who made or revoked it, when and why. */
  readonly by: string;
  readonly at: Instant;
  readonly why: string;
  readonly rev: number;
}

/** Of `spw_ID_SECRET`; undefined: it is no token of ours. */
export function tokenParts(text: string): { readonly id: string; readonly secret: string } | undefined {
  const parts = /^spw_([0-9a-f]{12})_([A-Za-z0-9_-]{43})$/.exec(text);
  return parts?.[1] === undefined || parts[2] === undefined
    ? undefined
    : { id: `token/${parts[1]}`, secret: parts[2] };
}

export const tokenText = (id: string, secret: string): string => `spw_${id.replace('token/', '')}_${secret}`;

/** Without the word before it, as people call it. */
export const tokenName = (id: string): string => id.replace('token/', '');

/** Who made a token that a login host's socket gives its user [engine/logins.ts]. */
export const loginSocketOf = (host: string): string => `${loginSocketWords}${host}`;
export const loginSocketWords = 'login socket of ';

/** The audit row of its making or its end; `prev` is the hash of the one before. */
export function tokenLink(token: ApiToken, prev: string | undefined, sha256: Sha256): AuditLink {
  const made = token.state === 'made';
  const what = made
    ? `by ${token.by}: for ${token.user} as ${token.role}${token.scope === 'read' ? ', to read alone,' : ''} until ${new Date(token.until).toISOString()}`
    : `by ${token.by}`;
  const body = {
    subject: token.id,
    seq: token.rev,
    at: token.at,
    from: made ? undefined : 'made',
    to: token.state,
    why: token.why === '' ? what : `${what}: ${token.why}`,
    data: sha256(canonical(token)),
    prev: prev ?? chainStart,
  };
  return { ...body, hash: auditHash(body, sha256) };
}
