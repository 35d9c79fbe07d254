import { z } from 'zod';
import { slurmJwt } from './slurm-jwt.ts';
import { duration, form, list, shown, text, whole } from './units.ts';

/** Who may ask the HTTP API, and how it is proved. Without `api` nobody is asked, and only loopback may be listened on. */

const claim = (doc: string, advice: string) => form(doc, /^[A-Za-z0-9_:/-]+(\.[A-Za-z0-9_:/-]+)*$/, advice);
const group = text('A value of roleClaim.', 'write a group or role as the provider writes it');

/** Plain HTTP gives tokens and keys away; on this host nobody is in between. */
const safeUrl = /^(https:\/\/|http:\/\/(127\.\d+\.\d+\.\d+|localhost|\[::1\])(:\d+)?(\/|$))\S*$/;

/** One origin, as a Content-Security-Policy may name it. */
const origin = /^(https:\/\/[A-Za-z0-9.-]+|http:\/\/(127\.\d+\.\d+\.\d+|localhost))(:\d{1,5})?$/;
const isOriginOf = (url: string): boolean => URL.canParse(url) && origin.test(new URL(url).origin);

/** [RFC 6749, section 3.3] */
const scope = form('A scope.', /^[\x21\x23-\x5b\x5d-\x7e]+$/, 'write a scope, such as profile');

const login = z.strictObject({
  clientId: text(
    'The client as which the page signs people in: public, with PKCE, and https://GATEWAY/login as its redirect URI.',
    'write its id, such as spillway-page',
  ),
  name: text(
    'What the page calls the provider; its host if left out.',
    'write a name, such as Example University',
  )
    .max(60, { error: 'longer than a button; write 60 characters at most' })
    .optional(),
  scopes: list('What is asked for besides openid.', scope, 0, '[profile, groups]').default([]),
  prompt: form(
    'What the provider is to ask each time: `consent` where it gives refresh tokens (scope offline_access) only then.',
    /^(login|consent|select_account)( (login|consent|select_account))*$/,
    'write login, consent or select_account, or leave it out',
  ).optional(),
  tokenOrigin: form(
    "Where its token endpoint is, if not at the issuer's own origin.",
    origin,
    'write an origin, such as https://tokens.example.org, without a path',
  )
    .refine(isOriginOf, { error: 'names no host; write an origin, such as https://tokens.example.org' })
    .optional(),
});

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
    login: login
      .optional()
      .describe(
        'The operator’s page signs people in at the provider, which needs its discovery document. Without it a token is pasted.',
      ),
  })
  .superRefine(({ issuer, login }, ctx) => {
    if (login !== undefined && !isOriginOf(issuer))
      ctx.addIssue({
        ...{ code: 'custom', path: ['issuer'] },
        message: `${shown(issuer)} is none that a page may be let ask; write its host by name, or leave login out`,
      });
  })
  .transform(({ clockSkew, timeout, ...o }) => ({ ...o, clockSkewMs: clockSkew, timeoutMs: timeout }));

export const api = z
  .strictObject({
    oidc: oidc.optional().describe('Bearer tokens of an OpenID Connect provider, beside API tokens.'),
    slurmJwt: slurmJwt.optional().describe("Slurm's own tokens (scontrol token), for role user."),
    perSecond: whole('Requests a second of one caller, in the long run.', 1, 100_000).default(50),
    atOnce: whole('And so many at once.', 1, 100_000).default(200),
    streams: whole('Event streams of one caller at a time.', 1, 10_000).default(8),
    loginHosts: list(
      'Hosts whose login socket proves Unix users, by the common name of their certificates (OU=login, of listen.clientCa). Each can be any user of role user.',
      form(
        'A login host.',
        /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/,
        'write the common name in its certificate, such as login1',
      ),
      0,
      '[login1]',
    ).default([]),
    adminsReadOutput: z
      .boolean({ error: 'write true (each reading stands in the audit) or false' })
      .describe('Admins may watch what jobs of others write. Their owners always may, operators never.')
      .default(false),
  })
  .describe(
    'Authentication is on: API tokens (spillway token create), and OIDC or Slurm’s tokens where they are configured. Without it, whoever reaches listen.http is an admin.',
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
