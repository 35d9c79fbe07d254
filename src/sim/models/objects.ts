/**
 * An object store: objects that are there whole or not at all, uploads in parts, URLs that sign one request. In process behind the
 * port; lab/servers/objects.ts gives it S3's face. A number of its bytes is kept in memory, so it is for tests and the demo.
 */
import { createHash } from 'node:crypto';
import { type Fault, PortError } from '../../domain/fault.ts';
import { type Instant, instant } from '../../domain/ids.ts';
import type { Listing } from '../../domain/listing.ts';
import type {
  Clock,
  Entropy,
  ObjectsPort,
  SignedRequest,
  StoredObject,
  StoredPart,
  Unfinished,
} from '../../ports.ts';

/** As S3 answers: its code, HTTP's status, and what it is to the port. */
export class ObjectsError extends Error {
  readonly code: string;
  readonly status: number;
  readonly fault: Fault;
  constructor(code: string, status: number, fault: Fault) {
    super(`${code}: the model's store`);
    this.code = code;
    this.status = status;
    this.fault = fault;
  }
}

interface Stored {
  readonly bytes: Uint8Array;
  readonly at: Instant;
  readonly tag: string;
}

interface Upload {
  readonly key: string;
  readonly at: Instant;
  readonly parts: Map<number, Stored>;
}

export interface Range {
  readonly from: number;
  /** Included; undefined = to the end. */
  readonly to: number | undefined;
}

export interface Exchange {
  readonly status: number;
  readonly body: Uint8Array;
}

const mostParts = 10_000;
/** [AWS: Amazon S3 multipart upload limits] */
const usualLeastPart = 5 * 2 ** 20;

export class ObjectsModel {
  readonly #clock: Clock;
  readonly #entropy: Entropy;
  readonly #objects = new Map<string, Stored>();
  readonly #uploads = new Map<string, Upload>();
  /** What a URL of the port in process lets through. */
  readonly #signed = new Map<string, { readonly request: SignedRequest; readonly run: Allowed }>();
  #down = false;
  readonly #leastPart: number;
  readonly #pageSize: number;

  constructor({
    clock,
    entropy,
    leastPart = usualLeastPart,
    pageSize = 1_000,
  }: {
    readonly clock: Clock;
    readonly entropy: Entropy;
    /** Of all parts of an upload but the last, in bytes. */
    readonly leastPart?: number;
    readonly pageSize?: number;
  }) {
    this.#clock = clock;
    this.#entropy = entropy;
    this.#leastPart = leastPart;
    this.#pageSize = pageSize;
  }

  /** Nothing of it answers, and nothing of it is done. */
  down(on: boolean): void {
    this.#down = on;
  }

  head(key: string): StoredObject | undefined {
    const found = this.#objects.get(key);
    return found && { key, size: found.bytes.length, at: found.at };
  }

  tag(key: string): string | undefined {
    return this.#objects.get(key)?.tag;
  }

  get(key: string, range?: Range): Uint8Array {
    const found = this.#objects.get(key);
    if (found === undefined) throw new ObjectsError('NoSuchKey', 404, 'not_found');
    if (range === undefined) return found.bytes;
    if (range.from >= found.bytes.length) throw new ObjectsError('InvalidRange', 416, 'refused');
    return found.bytes.subarray(range.from, range.to === undefined ? undefined : range.to + 1);
  }

  put(key: string, bytes: Uint8Array, sha256?: string): void {
    if (sha256 !== undefined && sha256 !== hashOf(bytes)) throw new ObjectsError('BadDigest', 400, 'refused');
    this.#objects.set(key, this.#stored(bytes));
  }

  remove(key: string): void {
    this.#objects.delete(key);
  }

  /** In order of key. */
  list(prefix: string): StoredObject[] {
    return [...this.#objects.keys()]
      .filter((key) => key.startsWith(prefix))
      .sort()
      .flatMap((key) => this.head(key) ?? []);
  }

  begin(key: string): string {
    const id = this.#entropy.uuid();
    this.#uploads.set(id, { key, at: this.#clock.now(), parts: new Map() });
    return id;
  }

  putPart(key: string, id: string, number: number, bytes: Uint8Array, sha256?: string): string {
    const upload = this.#upload(key, id);
    if (sha256 !== undefined && sha256 !== hashOf(bytes)) throw new ObjectsError('BadDigest', 400, 'refused');
    if (!(number >= 1 && number <= mostParts)) throw new ObjectsError('InvalidArgument', 400, 'refused');
    const part = this.#stored(bytes);
    upload.parts.set(number, part);
    return part.tag;
  }

  parts(key: string, id: string): StoredPart[] {
    return [...this.#upload(key, id).parts]
      .sort(([a], [b]) => a - b)
      .map(([number, { bytes, tag }]) => ({ number, size: bytes.length, tag, sha256: hashOf(bytes) }));
  }

  complete(key: string, id: string, of: readonly Pick<StoredPart, 'number' | 'tag'>[]): void {
    const { parts } = this.#upload(key, id);
    const bytes = of.map(({ number, tag }, i) => {
      const part = parts.get(number);
      if (part === undefined || part.tag !== tag) throw new ObjectsError('InvalidPart', 400, 'conflict');
      if (number <= (of[i - 1]?.number ?? 0)) throw new ObjectsError('InvalidPartOrder', 400, 'conflict');
      if (i < of.length - 1 && part.bytes.length < this.#leastPart)
        throw new ObjectsError('EntityTooSmall', 400, 'conflict');
      return part.bytes;
    });
    if (bytes.length === 0) throw new ObjectsError('InvalidPart', 400, 'conflict');
    this.#objects.set(key, this.#stored(joined(bytes)));
    this.#uploads.delete(id);
  }

  abort(key: string, id: string): void {
    this.#upload(key, id);
    this.#uploads.delete(id);
  }

  /** In order of key, then of upload. */
  unfinished(prefix: string): Unfinished[] {
    return [...this.#uploads]
      .filter(([, { key }]) => key.startsWith(prefix))
      .map(([upload, { key, at }]) => ({ key, upload, at }))
      .sort((a, b) => (`${a.key}\0${a.upload}` < `${b.key}\0${b.upload}` ? -1 : 1));
  }

  /** What a far end does with a URL that the port in process signed. */
  send(request: Omit<SignedRequest, 'until'>, body?: Uint8Array, range?: Range): Exchange {
    const known = this.#signed.get(request.url);
    const may =
      known !== undefined &&
      known.request.method === request.method &&
      this.#clock.now() < known.request.until &&
      Object.entries(known.request.headers).every(([name, value]) => request.headers[name] === value) &&
      Number(known.request.headers['content-length'] ?? 0) === (body?.length ?? 0);
    if (!may) return { status: 403, body: new Uint8Array() };
    try {
      return { status: range === undefined ? 200 : 206, body: known.run(body ?? new Uint8Array(), range) };
    } catch (e) {
      if (e instanceof ObjectsError) return { status: e.status, body: new Uint8Array() };
      throw e;
    }
  }

  asPort(): ObjectsPort {
    const run = async <T>(at: string, work: () => T): Promise<T> => {
      if (this.#down) throw new PortError('unreachable', at, 'the store is down');
      try {
        return work();
      } catch (e) {
        if (e instanceof ObjectsError) throw new PortError(e.fault, at, e.message);
        throw e;
      }
    };
    return {
      head: (key) => run('objects.head', () => this.head(keyed(key))),
      signGet: async (key, forMs) =>
        this.#sign('GET', keyed(key), {}, forMs, (_, range) => this.get(key, range)),
      signPut: async (key, { size, sha256 }, forMs) => {
        return this.#sign('PUT', keyed(key), headersOf(size, sha256), forMs, (body) => {
          this.put(key, body, sha256);
          return new Uint8Array();
        });
      },
      signPart: async (key, id, { number, size, sha256 }, forMs) =>
        this.#sign('PUT', keyed(key), headersOf(size, sha256), forMs, (body) => {
          this.putPart(key, id, number, body, sha256);
          return new Uint8Array();
        }),
      beginParts: (key) => run('objects.beginParts', () => this.begin(keyed(key))),
      parts: (key, id) => run('objects.parts', () => this.parts(keyed(key), id)),
      completeParts: (key, id, of) =>
        run('objects.completeParts', () => {
          const size = of.reduce((sum, part) => sum + part.size, 0);
          if (!this.#uploads.has(id) && this.head(key)?.size === size) return;
          this.complete(keyed(key), id, of);
        }),
      abortParts: (key, id) => run('objects.abortParts', () => this.abort(keyed(key), id)),
      list: (prefix, from) =>
        run('objects.list', () => this.#page(this.list(prefix), ({ key }) => key, from)),
      unfinished: (prefix, from) =>
        run('objects.unfinished', () =>
          this.#page(this.unfinished(prefix), ({ key, upload }) => `${key}\0${upload}`, from),
        ),
      remove: (key) => run('objects.remove', () => this.remove(keyed(key))),
      check: () => run('objects.check', () => undefined),
      close: async () => undefined,
    };
  }

  #page<T>(all: readonly T[], nameOf: (one: T) => string, from: string | undefined): Listing<T> {
    const rest = from === undefined ? all : all.filter((one) => nameOf(one) > from);
    const found = rest.slice(0, this.#pageSize);
    const last = found.at(-1);
    const more = last !== undefined && found.length < rest.length;
    return { found, next: more ? nameOf(last) : undefined };
  }

  #sign(
    method: SignedRequest['method'],
    key: string,
    headers: Readonly<Record<string, string>>,
    forMs: number,
    run: Allowed,
  ): SignedRequest {
    if (forMs < 1000) throw new PortError('invalid', 'objects.sign', `a URL for ${forMs} ms`);
    const url = `model://${key}?${this.#entropy.uuid()}`;
    const request = { method, url, headers, until: instant(this.#clock.now() + forMs) };
    this.#signed.set(url, { request, run });
    return request;
  }

  #upload(key: string, id: string): Upload {
    const found = this.#uploads.get(id);
    if (found === undefined || found.key !== key) throw new ObjectsError('NoSuchUpload', 404, 'not_found');
    return found;
  }

  #stored(bytes: Uint8Array): Stored {
    return { bytes: bytes.slice(), at: this.#clock.now(), tag: `"${hashOf(bytes).slice(0, 32)}"` };
  }
}

type Allowed = (body: Uint8Array, range: Range | undefined) => Uint8Array;

const headersOf = (size: number, sha256: string): Readonly<Record<string, string>> => ({
  'content-length': `${size}`,
  'x-amz-checksum-sha256': Buffer.from(sha256, 'hex').toString('base64'),
});
const hashOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

function keyed(key: string): string {
  if (/^[A-Za-z0-9._-]+(\/[A-Za-z0-9._-]+)*$/.test(key) && !/(^|\/)\.\.?(\/|$)/.test(key)) return key;
  throw new PortError('refused', 'objects', `${JSON.stringify(key)} is no key`);
}

function joined(all: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(all.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const bytes of all) {
    whole.set(bytes, at);
    at += bytes.length;
  }
  return whole;
}
