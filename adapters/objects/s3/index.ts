/** ObjectsPort on S3's protocol: AWS's own, or a store on-prem that speaks it. */
import { createHash } from 'node:crypto';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { faultOf, PortError } from '../../../src/domain/fault.ts';
import { instant } from '../../../src/domain/ids.ts';
import type { Listing } from '../../../src/domain/listing.ts';
import type {
  Clock,
  ObjectsPort,
  SignedRequest,
  StoredObject,
  StoredPart,
  Unfinished,
} from '../../../src/ports.ts';
import { s3Fault } from './faults.ts';
import { objectOf, partOf, partsOfPage, unfinishedOf } from './schema.ts';

export interface S3Config {
  readonly bucket: string;
  /** In front of every key; empty or with a slash at its end. */
  readonly prefix: string;
  readonly region: string;
  /** Instead of AWS's own. */
  readonly endpoint?: string | undefined;
  /** The bucket in the path and not in the host name, as most stores on-prem want it. */
  readonly pathStyle: boolean;
  /** Default: the SDK's chain (environment, shared files, instance profile). */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string } | undefined;
  /** Default 3. */
  readonly maxAttempts?: number | undefined;
  /** Default 3 s. */
  readonly connectTimeoutMs?: number | undefined;
  /** Of one attempt, default 30 s. */
  readonly requestTimeoutMs?: number | undefined;
  /** Keys in one answer, default 1000. */
  readonly pageSize?: number | undefined;
}

interface SignOptions {
  readonly expiresIn: number;
  readonly signingDate: Date;
  readonly unhoistableHeaders: Set<string>;
}

/** A signature of version 4 is good for a week at most. [AWS: Authenticating requests, query parameters] */
const longestMs = 7 * 86_400_000;

export function s3Objects(config: S3Config, { clock }: { readonly clock: Clock }): ObjectsPort {
  const client = connect(config);
  const Bucket = config.bucket;
  const whole = (key: string): string => config.prefix + keyed(key);
  const bare = (key: string): string => key.slice(config.prefix.length);
  const reads = <T>(at: string, work: () => Promise<T>): Promise<T> => calling(at, false, work);
  const changes = <T>(at: string, work: () => Promise<T>): Promise<T> => calling(at, true, work);

  async function head(key: string): Promise<StoredObject | undefined> {
    const Key = whole(key);
    try {
      const answer = await reads('objects.head', () => client.send(new HeadObjectCommand({ Bucket, Key })));
      return objectOf({ ...answer, Key: key, Size: answer.ContentLength }, 'objects.head');
    } catch (e) {
      if (faultOf(e) === 'not_found') return undefined;
      throw e;
    }
  }

  async function signed(
    at: string,
    method: SignedRequest['method'],
    sign: (options: SignOptions) => Promise<string>,
    headers: Readonly<Record<string, string>>,
    forMs: number,
  ): Promise<SignedRequest> {
    const expiresIn = Math.floor(Math.min(forMs, longestMs) / 1000);
    if (expiresIn < 1) throw new PortError('invalid', at, `a URL for ${forMs} ms`);
    // Taken first, so that `until` is never later than what the store reckons.
    const until = instant(Math.floor(clock.now() / 1000) * 1000 + expiresIn * 1000);
    const url = await reads(at, () =>
      sign({
        expiresIn,
        signingDate: new Date(clock.now()),
        // Left as headers: what is in the URL alone some stores do not check.
        unhoistableHeaders: new Set(['x-amz-checksum-sha256']),
      }),
    );
    return { method, url, headers, until };
  }

  async function parts(key: string, upload: string): Promise<StoredPart[]> {
    const found: StoredPart[] = [];
    const of = { Bucket, Key: whole(key), UploadId: upload };
    for (let from: string | undefined = '0'; from !== undefined; ) {
      const page = new ListPartsCommand({ ...of, PartNumberMarker: from, MaxParts: config.pageSize });
      const answer = await reads('objects.parts', () => client.send(page));
      found.push(...(answer.Parts ?? []).map(partOf));
      from = partsOfPage(answer);
    }
    return found;
  }

  async function completeParts(key: string, upload: string, of: readonly StoredPart[]): Promise<void> {
    const at = 'objects.completeParts';
    const Parts = of.map(({ number, tag, sha256 }) => ({
      PartNumber: number,
      ETag: tag,
      ...(sha256 === undefined ? {} : { ChecksumSHA256: base64(sha256) }),
    }));
    const command = new CompleteMultipartUploadCommand({
      Bucket,
      Key: whole(key),
      UploadId: upload,
      MultipartUpload: { Parts },
    });
    try {
      await changes(at, () => client.send(command));
    } catch (e) {
      // The answer to an earlier one may have been lost: what is there then is the whole of it.
      if (faultOf(e) !== 'not_found') throw e;
      const size = of.reduce((sum, part) => sum + part.size, 0);
      if ((await head(key))?.size !== size) throw e;
    }
  }

  async function list(prefix: string, from?: string): Promise<Listing<StoredObject>> {
    const page = new ListObjectsV2Command({
      Bucket,
      Prefix: config.prefix + prefix,
      MaxKeys: config.pageSize,
      // By key and not by a token of the store's: one of those may die with what was taken away.
      ...(from === undefined ? {} : { StartAfter: config.prefix + from }),
    });
    const answer = await reads('objects.list', () => client.send(page));
    const found = (answer.Contents ?? []).map((one) =>
      objectOf({ ...one, Key: bare(one.Key ?? '') }, 'objects.list'),
    );
    return { found, next: answer.IsTruncated === true ? found.at(-1)?.key : undefined };
  }

  async function unfinished(prefix: string, from?: string): Promise<Listing<Unfinished>> {
    const page = new ListMultipartUploadsCommand({
      ...{ Bucket, Prefix: config.prefix + prefix, MaxUploads: config.pageSize },
      // By key alone: an upload's name as a marker is not taken by every store, not even the one that it gave.
      ...(from === undefined ? {} : { KeyMarker: config.prefix + from }),
    });
    const answer = await reads('objects.unfinished', () => client.send(page));
    const all = (answer.Uploads ?? []).map((one) => unfinishedOf({ ...one, Key: bare(one.Key ?? '') }));
    const last = all.at(-1)?.key;
    if (answer.IsTruncated !== true || last === undefined) return { found: all, next: undefined };
    // The last key may have more, so it is for the next page; unless it has this one to itself.
    const before = all.filter(({ key }) => key !== last);
    return before.length === 0 ? { found: all, next: last } : { found: before, next: before.at(-1)?.key };
  }

  async function remove(key: string): Promise<void> {
    const Key = whole(key);
    await changes('objects.remove', () => client.send(new DeleteObjectCommand({ Bucket, Key })));
  }

  async function check(): Promise<void> {
    const at = 'objects.check';
    const Body = new TextEncoder().encode('spillway doctor\n');
    const key = `check/${createHash('sha256').update(`${clock.now()} ${Body}`).digest('hex')}`;
    await changes(at, () => client.send(new PutObjectCommand({ Bucket, Key: whole(key), Body })));
    try {
      const { url } = await signGet(key, 60_000);
      const answer = await reads(at, () =>
        fetch(url, { signal: AbortSignal.timeout(config.requestTimeoutMs ?? 30_000) }),
      );
      const text = await answer.text();
      if (!answer.ok || text !== 'spillway doctor\n')
        throw new PortError(
          'refused',
          at,
          `what was written was not read back by a signed URL (HTTP ${answer.status}); is a proxy before the store that changes requests?`,
        );
      await checkParts(key, Body);
      await list('check/');
    } finally {
      await remove(key);
    }
  }

  /** A large file goes in parts, of which each is held against its hash. */
  async function checkParts(key: string, body: Uint8Array): Promise<void> {
    const at = 'objects.check';
    const upload = await beginParts(key);
    try {
      const sha256 = createHash('sha256').update(body).digest('hex');
      const part = await signPart(key, upload, { number: 1, size: body.length, sha256 }, 60_000);
      const { 'x-amz-checksum-sha256': checksum = '' } = part.headers;
      const answer = await reads(at, () =>
        fetch(part.url, {
          ...{ method: 'PUT', body, headers: { 'x-amz-checksum-sha256': checksum } },
          signal: AbortSignal.timeout(config.requestTimeoutMs ?? 30_000),
        }),
      );
      const [came] = await parts(key, upload);
      if (!answer.ok || came?.sha256 !== sha256)
        throw new PortError(
          'refused',
          at,
          `the store does not take an upload in parts with their SHA-256 (HTTP ${answer.status}); Spillway needs one that does`,
        );
      await completeParts(key, upload, [came]);
    } catch (e) {
      await abortParts(key, upload).catch(() => undefined);
      throw e;
    }
  }

  async function signGet(key: string, forMs: number): Promise<SignedRequest> {
    const command = new GetObjectCommand({ Bucket, Key: whole(key) });
    return signed('objects.signGet', 'GET', (options) => getSignedUrl(client, command, options), {}, forMs);
  }

  async function beginParts(key: string): Promise<string> {
    const at = 'objects.beginParts';
    const ChecksumAlgorithm = 'SHA256';
    const command = new CreateMultipartUploadCommand({ Bucket, Key: whole(key), ChecksumAlgorithm });
    const { UploadId } = await changes(at, () => client.send(command));
    if (UploadId === undefined) throw new PortError('unknown', at, 'the store named no upload');
    return UploadId;
  }

  async function abortParts(key: string, upload: string): Promise<void> {
    const command = new AbortMultipartUploadCommand({ Bucket, Key: whole(key), UploadId: upload });
    await changes('objects.abortParts', () => client.send(command));
  }

  async function signPart(
    key: string,
    upload: string,
    { number, size, sha256 }: { readonly number: number; readonly size: number; readonly sha256: string },
    forMs: number,
  ): Promise<SignedRequest> {
    const ChecksumSHA256 = base64(sha256);
    const part = { UploadId: upload, PartNumber: number, ContentLength: size, ChecksumSHA256 };
    const command = new UploadPartCommand({ Bucket, Key: whole(key), ...part });
    const headers = { 'content-length': `${size}`, 'x-amz-checksum-sha256': ChecksumSHA256 };
    return signed(
      'objects.signPart',
      'PUT',
      (options) => getSignedUrl(client, command, options),
      headers,
      forMs,
    );
  }

  return {
    head,
    signGet,
    signPut: async (key, { size, sha256 }, forMs) => {
      const ChecksumSHA256 = base64(sha256);
      const headers = { 'content-length': `${size}`, 'x-amz-checksum-sha256': ChecksumSHA256 };
      const command = new PutObjectCommand({ Bucket, Key: whole(key), ContentLength: size, ChecksumSHA256 });
      return signed(
        'objects.signPut',
        'PUT',
        (options) => getSignedUrl(client, command, options),
        headers,
        forMs,
      );
    },
    beginParts,
    signPart,
    parts,
    completeParts,
    abortParts,
    list,
    unfinished,
    remove,
    check,
    close: async () => client.destroy(),
  };
}

const base64 = (hex: string): string => Buffer.from(hex, 'hex').toString('base64');

function connect(config: S3Config): S3Client {
  return new S3Client({
    region: config.region,
    forcePathStyle: config.pathStyle,
    retryMode: 'standard',
    maxAttempts: config.maxAttempts ?? 3,
    // Else the SDK signs the checksum of the empty body that it sees into URLs through which others send theirs.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {
      connectionTimeout: config.connectTimeoutMs ?? 3_000,
      requestTimeout: config.requestTimeoutMs ?? 30_000,
      throwOnRequestTimeout: true,
    },
    ...(config.endpoint === undefined ? {} : { endpoint: config.endpoint }),
    ...(config.credentials === undefined ? {} : { credentials: config.credentials }),
  });
}

/** Ours are made of hashes and numbers; nothing that a path, a URL or a store could read in two ways. */
function keyed(key: string): string {
  if (/^[A-Za-z0-9._-]+(\/[A-Za-z0-9._-]+)*$/.test(key) && !/(^|\/)\.\.?(\/|$)/.test(key)) return key;
  throw new PortError('refused', 'objects', `${JSON.stringify(key)} is no key`);
}

/** Every call here may be repeated, but for `beginParts`, and what the SDK's own retries leave of that is found by `unfinished`. */
async function calling<T>(at: string, effect: boolean, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw s3Fault(at, error, effect);
  }
}
