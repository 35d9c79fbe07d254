/** An OpenID Connect provider as it describes itself, and its keys, for whoever examines them. [OpenID Connect Discovery 1.0, RFC 8414] */
import { z } from 'zod';
import type { OidcConfig } from '../../config/schema.ts';
import { PortError } from '../../src/domain/fault.ts';

const words = z.array(z.string()).optional();
const url = z.string().optional();
const description = z.looseObject({
  issuer: z.string(),
  jwks_uri: url,
  authorization_endpoint: url,
  token_endpoint: url,
  end_session_endpoint: url,
  response_types_supported: words,
  code_challenge_methods_supported: words,
  id_token_signing_alg_values_supported: words,
});
const keySet = z.object({
  keys: z.array(z.looseObject({ kty: z.string(), use: z.string().optional(), alg: z.string().optional() })),
});

export type Description = z.output<typeof description>;
export type ProviderKey = z.output<typeof keySet>['keys'][number];

/** Faults: `unreachable` (no answer, a bad certificate, or none that can be read; the message says which). */
export const describedAt = ({ issuer, timeoutMs }: OidcConfig): Promise<Description> =>
  read(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`, description, timeoutMs);

/** Faults as above. */
export async function keysAt(address: string, { timeoutMs }: OidcConfig): Promise<readonly ProviderKey[]> {
  return (await read(address, keySet, timeoutMs)).keys;
}

/** What stands there, as JSON; what goes wrong is thrown as it came. */
export async function bodyAt(address: string, timeoutMs: number): Promise<unknown> {
  // A redirect could lead anywhere, and what it says is believed.
  const response = await fetch(address, { redirect: 'error', signal: AbortSignal.timeout(timeoutMs) });
  if (!response.ok) throw new Error(`it answers ${response.status}`);
  return response.json();
}

async function read<T>(at: string, schema: z.ZodType<T>, timeoutMs: number): Promise<T> {
  const fault = (why: string, cause?: unknown) =>
    new PortError('unreachable', 'identity.describe', `${at}: ${why}`, { cause });
  let body: unknown;
  try {
    body = await bodyAt(at, timeoutMs);
  } catch (e) {
    throw fault(reasonOf(e, timeoutMs), e);
  }
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const wrong = parsed.error.issues.map((i) => `${i.path.join('.') || 'all of it'}: ${i.message}`);
  throw fault(`it answers something else than was asked for (${wrong.slice(0, 3).join('; ')})`);
}

function reasonOf(e: unknown, timeoutMs: number): string {
  if ((e as { name?: string }).name === 'TimeoutError') return `no answer within ${timeoutMs / 1_000} s`;
  const cause = (e as { cause?: { code?: string; message?: string } }).cause;
  return cause?.code ?? cause?.message ?? (e instanceof Error ? e.message : String(e));
}
