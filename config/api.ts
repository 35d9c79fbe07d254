import { z } from 'zod';
import { duration, form, list, text, whole } from './units.ts';

/** Who may ask the HTTP API, and how it is proved. Without `api` nobody is asked, and only loopback may be listened on. */

const claim = (doc: string, advice: string) => form(doc, /^[A-Za-z0-9_:/-]+(\.[A-Za-z0-9_:/-]+)*$/, advice);
const group = text('A value of roleClaim.', 'write a group or role as the provider writes it');

/** Plain HTTP gives tokens and keys away; on this host nobody is in between. */
const safeUrl = /^(https:\/\/|http:\/\/(127\.\d+\.\d+\.\d+|localhost|\[::1\])(:\d+)?(\/|$))\S*$/;

const oidc = z
  .strictObject({
    issuer: form(
      "The identity provider, exactly as its tokens' iss writes it.",
      safeUrl,
      'write its URL by https, such as https://id.example.org/realms/hpc',
    ),
    audience: text("What its tokens' aud must name.", 'write the client of this gateway, such as spillway'),
    jwksUri: form(
      'Where its keys are; from its discovery document if left out.',
      safeUrl,
      'write a URL by https, or leave it out',
    ).optional(),
    userClaim: claim(
      'The claim that holds the Unix name. It must be one that users cannot choose for themselves.',
      'write a claim, such as preferred_username',
    ).default('preferred_username'),
    domain: form(
      'Taken off the end of the name: alice@example.org is alice. A name with another one is nobody.',
      /^[A-Za-z0-9.-]+$/,
      'write a domain, such as example.org',
    ).optional(),
    roleClaim: claim(
      'The claim that lists groups or roles; a dot goes one deeper.',
      'write a claim, such as realm_access.roles',
    ).default('groups'),
    operators: list('Who of them is an operator.', group, 0, '[hpc-operators]').default([]),
    admins: list('Who of them is an admin.', group, 0, '[hpc-admins]').default([]),
    clockSkew: duration("How far the provider's clock may be off.")
      .refine((ms) => ms <= 300_000, { error: 'above 5m, for which a token that is over would do; write 1m' })
      .prefault('1m'),
    timeout: duration('For one answer of the provider.').prefault('5s'),
  })
  .transform(({ clockSkew, timeout, ...o }) => ({ ...o, clockSkewMs: clockSkew, timeoutMs: timeout }));

export const api = z
  .strictObject({
    oidc: oidc.optional().describe('Bearer tokens of an OpenID Connect provider, beside API tokens.'),
    perSecond: whole('Requests a second of one caller, in the long run.', 1, 100_000).default(50),
    atOnce: whole('And so many at once.', 1, 100_000).default(200),
    streams: whole('Event streams of one caller at a time.', 1, 10_000).default(8),
    adminsReadOutput: z
      .boolean({ error: 'write true (each reading stands in the audit) or false' })
      .describe('Admins may watch what jobs of others write. Their owners always may, operators never.')
      .default(false),
  })
  .describe(
    'Authentication is on: API tokens (spillway token create), and OIDC where it is configured. Without it, whoever reaches listen.http is an admin.',
  );

export type ApiConfig = z.output<typeof api>;
export type OidcConfig = z.output<typeof oidc>;

/** `listen.tls`. */
export const tls = z.strictObject({
  cert: text('The certificate of listen.http, with its chain (PEM).', 'write the path of a file'),
  key: text('Its private key.', 'write the path of a file'),
});

/** `listen.trustedProxy`: one address, or a range of them. */
export const proxy = form(
  'The address of a proxy, or a range of them.',
  /^[0-9a-fA-F.:]+(\/\d{1,3})?$/,
  'write an address such as 10.0.0.5, or a range such as 10.0.0.0/24',
);
