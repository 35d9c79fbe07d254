/** What jose says of a token, as faults of the port. */
import {
  decodeJwt,
  decodeProtectedHeader,
  errors,
  type JWTPayload,
  type ProtectedHeaderParameters,
} from 'jose';
import { PortError } from '../../src/domain/fault.ts';

export const refused = (why: string, cause?: unknown): PortError =>
  new PortError('refused', 'identity.who', why, cause === undefined ? undefined : { cause });

const noToken = 'that is no signed token';

export interface Words {
  /** Where another one is had. */
  readonly over: string;
  readonly unsigned: string;
}

/** Whatever says that the token is not good. Undefined: it says nothing about it. */
export function refusalOf(e: unknown, { over, unsigned }: Words): PortError | undefined {
  if (e instanceof errors.JWTExpired) return refused(`the token is over; ${over}`, e);
  if (e instanceof errors.JWTClaimValidationFailed)
    return refused(`the token's ${e.claim} is not what this gateway takes`, e);
  if (
    e instanceof errors.JWSSignatureVerificationFailed ||
    e instanceof errors.JWKSNoMatchingKey ||
    e instanceof errors.JWKSMultipleMatchingKeys
  )
    return refused(unsigned, e);
  if (e instanceof errors.JOSEAlgNotAllowed || e instanceof errors.JOSENotSupported)
    return refused('the token is signed in a way that is not taken', e);
  if (e instanceof errors.JWTInvalid || e instanceof errors.JWSInvalid) return refused(noToken, e);
  return undefined;
}

/** What it says of itself, unproved. Faults: `refused`. */
export const saidBy = (token: string): JWTPayload => reading(() => decodeJwt(token));
export const headOf = (token: string): ProtectedHeaderParameters =>
  reading(() => decodeProtectedHeader(token));

function reading<T>(read: () => T): T {
  try {
    return read();
  } catch (e) {
    throw refused(noToken, e);
  }
}
