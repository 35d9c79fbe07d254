import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { PortError } from '../../src/domain/fault.ts';
import type { RegistryPort } from '../../src/ports.ts';

export interface RegistryConfig {
  /** As it stands in images' names: `registry.example.org`, `docker.io`. */
  readonly host: string;
  /** Where its API is, if not at https://HOST. */
  readonly url?: string | undefined;
  readonly username?: string | undefined;
  readonly passwordFile?: string | undefined;
}

const patienceMs = 10_000;
/** Of a manifest, whose digest is reckoned where the registry does not tell it. */
const mostBytes = 4 << 20;
const manifests = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ');
const digestForm = /^sha256:[a-f0-9]{64}$/;
const token = z.object({ token: z.string().optional(), access_token: z.string().optional() });

/**
 * Registries that speak the distribution API, with its token authentication. Only those of the configuration are asked: users name images,
 * and a gateway that asked any host of theirs would be theirs to send about. [distribution-spec 1.1; distribution: spec/auth/token]
 */
export function distributionRegistry(registries: readonly RegistryConfig[]): RegistryPort {
  return {
    async digest({ host, path, reference }) {
      if (digestForm.test(reference)) return reference;
      const registry = registries.find((r) => r.host === host);
      if (registry === undefined)
        throw fault('refused', `registry ${host} is not one of images.registries, so it is not asked`);
      const base =
        registry.url ?? (host === 'docker.io' ? 'https://registry-1.docker.io' : `https://${host}`);
      return digestAt(
        new URL(`${base.replace(/\/$/, '')}/v2/${path}/manifests/${reference}`),
        registry,
        path,
      );
    },
  };
}

async function digestAt(url: URL, registry: RegistryConfig, path: string): Promise<string> {
  const asked = async (method: 'HEAD' | 'GET', authorization?: string): Promise<Response> =>
    call(url, { method, headers: { accept: manifests, ...(authorization && { authorization }) } });
  let authorization: string | undefined;
  let answer = await asked('HEAD');
  if (answer.status === 401) {
    authorization = await authorize(answer.headers.get('www-authenticate') ?? '', url, registry, path);
    answer = await asked('HEAD', authorization);
  }
  if (!answer.ok) throw said(answer, url);
  const told = answer.headers.get('docker-content-digest');
  if (told !== null && digestForm.test(told)) return told;
  // Not every registry tells it, and a digest is of the bytes themselves.
  const whole = await asked('GET', authorization);
  if (!whole.ok) throw said(whole, url);
  return `sha256:${createHash('sha256')
    .update(await bodyOf(whole, url))
    .digest('hex')}`;
}

/** What the registry's challenge asks for: a password, or a token of the server that it names. */
async function authorize(
  challenge: string,
  url: URL,
  registry: RegistryConfig,
  path: string,
): Promise<string | undefined> {
  const basic = await basicOf(registry);
  const [, scheme = '', rest = ''] = /^(\S+)\s*(.*)$/.exec(challenge) ?? [];
  if (scheme.toLowerCase() === 'basic') return basic;
  const asks = new Map(
    [...rest.matchAll(/(\w+)="([^"]*)"/g)].map(([, key = '', value = '']) => [key, value]),
  );
  const realm = asks.get('realm');
  if (scheme.toLowerCase() !== 'bearer' || realm === undefined || !URL.canParse(realm))
    throw fault(
      'refused',
      `${url.host} asks for a way to sign in that is not known: ${challenge.slice(0, 100)}`,
    );
  const at = new URL(realm);
  // A password goes no worse way than the registry's own.
  if (at.protocol !== 'https:' && at.protocol !== url.protocol)
    throw fault('refused', `${url.host} sends to ${at.protocol}//${at.host} for a token`);
  const service = asks.get('service');
  if (service !== undefined) at.searchParams.set('service', service);
  at.searchParams.set('scope', `repository:${path}:pull`);
  const answer = await call(at, { headers: basic === undefined ? {} : { authorization: basic } });
  if (!answer.ok) throw said(answer, at);
  const given = tokenIn((await bodyOf(answer, at)).toString());
  if (given === undefined) throw fault('invalid', `${at.host} answered without a token`);
  return `Bearer ${given}`;
}

function tokenIn(text: string): string | undefined {
  try {
    const read = token.parse(JSON.parse(text));
    return read.token ?? read.access_token;
  } catch {
    return undefined;
  }
}

async function basicOf({ username, passwordFile }: RegistryConfig): Promise<string | undefined> {
  if (username === undefined || passwordFile === undefined) return undefined;
  let password: string;
  try {
    password = (await readFile(passwordFile, 'utf8')).trimEnd();
  } catch (e) {
    throw fault('refused', `images.registries[].passwordFile: ${(e as Error).message}`, e);
  }
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

async function call(url: URL, init: RequestInit): Promise<Response> {
  try {
    // A redirect could lead anywhere, with what we know.
    return await fetch(url, { ...init, redirect: 'error', signal: AbortSignal.timeout(patienceMs) });
  } catch (e) {
    const cause = (e as { cause?: { code?: string; message?: string } }).cause;
    throw fault('unreachable', `${url.host}: ${cause?.code ?? cause?.message ?? (e as Error).message}`, e);
  }
}

async function bodyOf(answer: Response, url: URL): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const part of answer.body ?? []) {
      bytes += part.length;
      if (bytes > mostBytes) throw fault('invalid', `${url.host} answers with more than ${mostBytes} bytes`);
      parts.push(part);
    }
  } catch (e) {
    throw e instanceof PortError ? e : fault('unreachable', `${url.host}: ${(e as Error).message}`, e);
  }
  return Buffer.concat(parts);
}

function said({ status }: Response, url: URL): PortError {
  const text = `${url.host} answers ${status} for ${url.pathname}`;
  if (status === 404) return fault('not_found', text);
  if (status === 429) return fault('throttled', text);
  return fault(status >= 500 ? 'transient' : 'refused', text);
}

const fault = (of: PortError['fault'], text: string, cause?: unknown): PortError =>
  new PortError(of, 'registry.digest', text, { cause });
