import { type Operation, operationForAnyone } from '../operation.ts';
import { loginView } from '../portal-schemas.ts';

/** Where the operator's page may sign people in. Nothing in it is secret. */
export interface Login {
  /** As its tokens write it. */
  readonly issuer: string;
  /** For people. */
  readonly name: string;
  /** A public client. */
  readonly clientId: string;
  readonly scopes: readonly string[];
  /** What the provider is to ask each time. */
  readonly prompt?: string | undefined;
  /** Where its token endpoint is, if not at the issuer's origin. */
  readonly tokenOrigin: string | undefined;
  readonly clockSkewMs: number;
}

/** What the page may ask besides its own gateway. */
export const originsOf = ({ issuer, tokenOrigin }: Login): readonly string[] => [
  ...new Set([new URL(issuer).origin, ...(tokenOrigin === undefined ? [] : [new URL(tokenOrigin).origin])]),
];

/** How one signs in is told before one has. */
export function login(at: Login | undefined): readonly Operation[] {
  return [
    operationForAnyone({
      ...{ id: 'getLogin', path: '/login', answer: loginView },
      says: 'Where the operator’s page signs people in: issuer and public client. Empty where no login is configured.',
      act: async () => {
        if (at === undefined) return {};
        const { tokenOrigin, prompt, scopes, ...rest } = at;
        return {
          oidc: {
            ...{ ...rest, scopes: [...scopes] },
            ...(prompt === undefined ? {} : { prompt }),
            ...(tokenOrigin === undefined ? {} : { tokenOrigin }),
          },
        };
      },
    }),
  ];
}
