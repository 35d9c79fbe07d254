import { z } from 'zod';
import { form, list, text } from './units.ts';

/** `api.slurmJwt`: tokens that the cluster's own Slurm takes, as `scontrol token` makes them. [auth/jwt] */
export const slurmJwt = z
  .strictObject({
    cluster: text('Whose login node knows the users of these tokens.', 'write the name of a cluster'),
    keyFile: text(
      "A copy of AuthAltParameters' jwt_key (jwt_hs256.key), for HS256. Whoever reads it can be any user: owned by root or the gateway's account, and nobody else's to read.",
      'write the path of a file',
    ).optional(),
    jwks: text(
      "A copy of AuthAltParameters' jwks, for RS256: keys with kid and alg RS256.",
      'write the path of a file',
    ).optional(),
    userClaim: form(
      "The claim of RS256 tokens that holds the Unix name: AuthAltParameters' userclaimfield. It must be one that users cannot choose for themselves.",
      /^[A-Za-z0-9_:/.-]+$/,
      'write a claim, such as preferred_username',
    ).default('sun'),
    audience: text(
      'What aud of RS256 tokens must name. Slurm does not ask; write it where those keys sign for others too.',
      'write a client, such as slurm',
    ).optional(),
    refuse: list(
      'Who is nobody here, beside root and uid 0: SlurmUser first of all.',
      text('A Unix name.', 'write a Unix name, such as slurm'),
      0,
      '[slurm]',
    ).default(['slurm']),
  })
  .superRefine(({ keyFile, jwks, ...o }, ctx) => {
    const refuse = (path: string, message: string) => ctx.addIssue({ code: 'custom', path: [path], message });
    if (keyFile === undefined && jwks === undefined)
      refuse('keyFile', 'missing; write the path of a copy of jwt_hs256.key, or jwks: for RS256');
    if (jwks !== undefined) return;
    if (o.audience !== undefined) refuse('audience', 'only tokens by jwks have one; leave it out');
    if (o.userClaim !== 'sun')
      refuse('userClaim', 'only of tokens by jwks, HS256 tokens of Slurm have sun; leave it out');
  });

export type SlurmJwtConfig = z.output<typeof slurmJwt>;
