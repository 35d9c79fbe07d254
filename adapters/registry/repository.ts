import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { PortError } from '../../src/domain/fault.ts';
import type { RegistryConfig } from './config.ts';

const patienceMs = 10_000;
const token = z.object({ token: z.string().optional(), access_token: z.string().optional() });
const manifests = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ');

export const mostManifestBytes = 4 << 20;

/** One repository of a registry, asked as often as one question needs, and signed in once. [distribution-spec 1.1; distribution: spec/auth/token] */
export class Repository {
  readonly #registry: RegistryConfig;
  readonly #path: string;
  /** As faults name it. */
  readonly #question: string;
  readonly #until: AbortSignal | undefined;
  #authorization: string | undefined;

  /** `until`: ends whatever is being asked, as a registry that does not answer. */
  constructor(registry: RegistryConfig, path: string, question: string, until?: AbortSignal) {
    this.#registry = registry;
    this.#path = path;
    this.#question = question;
    this.#until = until;
  }

  /** Faults: as the port's. */
  async manifest(method: 'HEAD' | 'GET', reference: string): Promise<Response> {
    const url = this.#at(`manifests/${reference}`);
    const answer = await this.#ask(url, method, manifests);
    if (!answer.ok) throw this.#said(answer, url);
    return answer;
  }

  /** An index of what names this digest as its subject. A registry that has no such question answers `not_found`. */
  async referrers(digest: string): Promise<Response> {
    const url = this.#at(`referrers/${digest}`);
    const answer = await this.#ask(url, 'GET', 'application/vnd.oci.image.index.v1+json');
    // 404 by the specification; older registries take it for a question that they do not understand.
    if ([400, 405, 501].includes(answer.status))
      throw this.fault('not_found', `${url.host} does not know referrers`);
    if (!answer.ok) throw this.#said(answer, url);
    return answer;
  }

  /**
   * Of a digest that the caller compares. Registries send to a store for blobs: it is asked without a password, once, by a way no worse than
   * the registry's own.
   */
  async blob(digest: string): Promise<Response> {
    const url = this.#at(`blobs/${digest}`);
    const answer = await this.#ask(url, 'GET', '*/*', 'manual');
    const location = answer.status >= 300 && answer.status < 400 ? answer.headers.get('location') : null;
    if (location === null) {
      if (!answer.ok) throw this.#said(answer, url);
      return answer;
    }
    const away = URL.canParse(location, url.href) ? new URL(location, url) : undefined;
    if (away === undefined || (away.protocol !== 'https:' && away.protocol !== url.protocol))
      throw this.fault(
        'refused',
        `${url.host} sends elsewhere for ${url.pathname}: ${location.slice(0, 100)}`,
      );
    const there = await this.#call(away, {});
    if (!there.ok) throw this.#said(there, away);
    return there;
  }

  async bytes(answer: Response, most = mostManifestBytes): Promise<Buffer> {
    const parts: Uint8Array[] = [];
    let bytes = 0;
    try {
      for await (const part of answer.body ?? []) {
        bytes += part.length;
        if (bytes > most) throw this.fault('invalid', `${answer.url} is of more than ${most} bytes`);
        parts.push(part);
      }
    } catch (e) {
      throw e instanceof PortError
        ? e
        : this.fault('unreachable', `${answer.url}: ${(e as Error).message}`, e);
    }
    return Buffer.concat(parts);
  }

  fault(of: PortError['fault'], text: string, cause?: unknown): PortError {
    return new PortError(of, this.#question, text, { cause });
  }

  #at(what: string): URL {
    const { host, url } = this.#registry;
    const base = url ?? (host === 'docker.io' ? 'https://registry-1.docker.io' : `https://${host}`);
    return new URL(`${base.replace(/\/$/, '')}/v2/${this.#path}/${what}`);
  }

  async #ask(
    url: URL,
    method: 'HEAD' | 'GET',
    accept: string,
    redirect: 'error' | 'manual' = 'error',
  ): Promise<Response> {
    const asked = async (): Promise<Response> => {
      const authorization = this.#authorization;
      return this.#call(url, {
        method,
        redirect,
        headers: { accept, ...(authorization && { authorization }) },
      });
    };
    const answer = await asked();
    if (answer.status !== 401 || this.#authorization !== undefined) return answer;
    this.#authorization = await this.#authorize(answer.headers.get('www-authenticate') ?? '', url);
    return asked();
  }

  /** What the registry's challenge asks for: a password, or a token of the server that it names. */
  async #authorize(challenge: string, url: URL): Promise<string | undefined> {
    const basic = await this.#basic();
    const [, scheme = '', rest = ''] = /^(\S+)\s*(.*)$/.exec(challenge) ?? [];
    if (scheme.toLowerCase() === 'basic') return basic;
    const asks = new Map(
      [...rest.matchAll(/(\w+)="([^"]*)"/g)].map(([, key = '', value = '']) => [key, value]),
    );
    const realm = asks.get('realm');
    if (scheme.toLowerCase() !== 'bearer' || realm === undefined || !URL.canParse(realm))
      throw this.fault(
        'refused',
        `${url.host} asks for a way to sign in that is not known: ${challenge.slice(0, 100)}`,
      );
    const at = new URL(realm);
    // A password goes no worse way than the registry's own.
    if (at.protocol !== 'https:' && at.protocol !== url.protocol)
      throw this.fault('refused', `${url.host} sends to ${at.protocol}//${at.host} for a token`);
    const service = asks.get('service');
    if (service !== undefined) at.searchParams.set('service', service);
    at.searchParams.set('scope', `repository:${this.#path}:pull`);
    const answer = await this.#call(at, { headers: basic === undefined ? {} : { authorization: basic } });
    if (!answer.ok) throw this.#said(answer, at);
    const given = tokenIn((await this.bytes(answer)).toString());
    if (given === undefined) throw this.fault('invalid', `${at.host} answered without a token`);
    return `Bearer ${given}`;
  }

  async #basic(): Promise<string | undefined> {
    const { username, passwordFile } = this.#registry;
    if (username === undefined || passwordFile === undefined) return undefined;
    let password: string;
    try {
      password = (await readFile(passwordFile, 'utf8')).trimEnd();
    } catch (e) {
      throw this.fault('refused', `images.registries[].passwordFile: ${(e as Error).message}`, e);
    }
    return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  }

  async #call(url: URL, init: RequestInit): Promise<Response> {
    const own = AbortSignal.timeout(patienceMs);
    const signal = this.#until === undefined ? own : AbortSignal.any([own, this.#until]);
    try {
      // A redirect could lead anywhere, with what we know.
      return await fetch(url, { redirect: 'error', ...init, signal });
    } catch (e) {
      const cause = (e as { cause?: { code?: string; message?: string } }).cause;
      const text = `${url.host}: ${cause?.code ?? cause?.message ?? (e as Error).message}`;
      throw this.fault('unreachable', text, e);
    }
  }

  #said({ status }: Response, url: URL): PortError {
    const text = `${url.host} answers ${status} for ${url.pathname}`;
    if (status === 404) return this.fault('not_found', text);
    if (status === 429) return this.fault('throttled', text);
    return this.fault(status >= 500 ? 'transient' : 'refused', text);
  }
}

function tokenIn(text: string): string | undefined {
  try {
    const read = token.parse(JSON.parse(text));
    return read.token ?? read.access_token;
  } catch {
    return undefined;
  }
}
