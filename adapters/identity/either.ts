import type { IdentityPort } from '../../src/ports.ts';
import { saidBy } from './jwt.ts';

/**
 * Tokens of a provider and of Slurm, told apart by `iss`: one that names the provider is the provider's to prove, and no other ever is. What a token says of
 * itself chooses who checks it, and nothing more.
 */
export function eitherIdentity(issuer: string, provider: IdentityPort, slurm: IdentityPort): IdentityPort {
  return { who: async (token) => (saidBy(token).iss === issuer ? provider : slurm).who(token) };
}
