import { decodeJwt } from 'jose';
import { PortError } from '../../src/domain/fault.ts';
import type { IdentityPort } from '../../src/ports.ts';

/**
 * Tokens of a provider and of Slurm, told apart by `iss`: one that names the provider is the provider's to prove, and no other ever is. What a token says of
 * itself chooses who checks it, and nothing more.
 */
export function eitherIdentity(issuer: string, provider: IdentityPort, slurm: IdentityPort): IdentityPort {
  return { who: async (token) => (issuerOf(token) === issuer ? provider : slurm).who(token) };
}

function issuerOf(token: string): unknown {
  try {
    return decodeJwt(token).iss;
  } catch {
    throw new PortError('refused', 'identity.who', 'that is no signed token');
  }
}
