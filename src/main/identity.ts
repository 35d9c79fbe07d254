/** Who says whom a token names that is none of ours. */
import { eitherIdentity } from '../../adapters/identity/either.ts';
import { oidcIdentity } from '../../adapters/identity/oidc.ts';
import { SlurmJwtIdentity } from '../../adapters/identity/slurm-jwt.ts';
import { SlurmKeyFiles } from '../../adapters/identity/slurm-keys.ts';
import type { ApiConfig, SlurmJwtConfig } from '../../config/schema.ts';
import { faultOf } from '../domain/fault.ts';
import type { UnixUsers } from '../engine/unix-users.ts';
import type { IdentityPort } from '../ports.ts';
import { clock } from './ground.ts';

/** Undefined: API tokens are all there is. Key files are read now, so that one that will not do keeps the gateway from starting; `complain` is told of one that ceases to. */
export async function identityOf(
  api: ApiConfig | undefined,
  users: UnixUsers,
  complain: (what: string, e: unknown) => void,
): Promise<IdentityPort | undefined> {
  const { oidc, slurmJwt } = api ?? {};
  const provider = oidc && oidcIdentity(oidc);
  if (slurmJwt === undefined) return provider;
  const slurm = new SlurmJwtIdentity(slurmJwt, { clock, uid: (user, home) => users.uid(user, home) });
  await slurm.examine();
  const heard: IdentityPort = {
    who: (token) =>
      slurm.who(token).catch((e: unknown) => {
        if (faultOf(e) === 'unreachable') complain("Slurm's tokens cannot be checked", e);
        throw e;
      }),
  };
  return oidc === undefined || provider === undefined ? heard : eitherIdentity(oidc.issuer, provider, heard);
}

/** For `doctor`: what is wrong with a key file is thrown. */
export async function slurmKeysIn({ keyFile, jwks }: SlurmJwtConfig): Promise<string> {
  await new SlurmKeyFiles({ keyFile, jwks }).examine();
  return [keyFile, jwks].filter((f) => f !== undefined).join(', ');
}
