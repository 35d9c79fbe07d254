/**
 * AWS's signature, version 4, as a server checks it: in the Authorization header or in the URL. Written from AWS's description and not
 * with the SDK's code, so that each proves the other. [AWS: Authenticating Requests (AWS Signature Version 4)]
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { Instant } from '../../src/domain/ids.ts';

export interface Asked {
  readonly method: string;
  /** As it came: path and query, still encoded. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Uint8Array;
}

export interface Keys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly region: string;
}

export type Checked = { readonly ok: true } | { readonly ok: false; readonly code: string };

const no = (code: string): Checked => ({ ok: false, code });
const skewMs = 15 * 60_000;

export function checkSignature(asked: Asked, keys: Keys, now: Instant): Checked {
  const [, query = ''] = asked.target.split('?', 2);
  const pairs = pairsOf(query);
  const given = pairs.some(([name]) => name === 'X-Amz-Signature') ? inUrl(pairs) : inHeader(asked);
  if (given === undefined) return no('AccessDenied');
  const [id, day, region, service, last] = given.scope;
  if (id !== keys.accessKeyId) return no('InvalidAccessKeyId');
  if (region !== keys.region || service !== 's3' || last !== 'aws4_request')
    return no('AuthorizationHeaderMalformed');
  const at = timeOf(given.date);
  if (at === undefined || day !== given.date.slice(0, 8)) return no('AccessDenied');
  if (given.forSeconds === undefined ? Math.abs(now - at) > skewMs : now >= at + given.forSeconds * 1000)
    return no(given.forSeconds === undefined ? 'RequestTimeTooSkewed' : 'AccessDenied');
  if (!given.signedHeaders.includes('host')) return no('AccessDenied');
  if (/^[0-9a-f]{64}$/.test(given.payload) && given.payload !== hex(asked.body))
    return no('XAmzContentSHA256Mismatch');
  const scope = [day, region, service, last].join('/');
  const text = ['AWS4-HMAC-SHA256', given.date, scope, hex(canonical(asked, pairs, given))].join('\n');
  const key = [day, region, service, last].reduce<Buffer>(
    (secret, part) => hmac(secret, part ?? ''),
    Buffer.from(`AWS4${keys.secretAccessKey}`),
  );
  const right = Buffer.from(hmac(key, text).toString('hex'));
  const had = Buffer.from(given.signature);
  return right.length === had.length && timingSafeEqual(right, had)
    ? { ok: true }
    : no('SignatureDoesNotMatch');
}

interface Given {
  /** Access key, day, region, service, `aws4_request`. */
  readonly scope: readonly string[];
  readonly date: string;
  /** In a URL: how long it is good for. */
  readonly forSeconds: number | undefined;
  readonly signedHeaders: readonly string[];
  readonly payload: string;
  readonly signature: string;
}

function inUrl(pairs: readonly Pair[]): Given | undefined {
  const value = (name: string): string => pairs.find(([key]) => key === name)?.[1] ?? '';
  const forSeconds = Number(value('X-Amz-Expires'));
  if (value('X-Amz-Algorithm') !== 'AWS4-HMAC-SHA256' || !(forSeconds >= 1 && forSeconds <= 604_800))
    return undefined;
  return {
    scope: value('X-Amz-Credential').split('/'),
    date: value('X-Amz-Date'),
    forSeconds,
    signedHeaders: value('X-Amz-SignedHeaders').split(';'),
    payload: 'UNSIGNED-PAYLOAD',
    signature: value('X-Amz-Signature'),
  };
}

function inHeader(asked: Asked): Given | undefined {
  const [, scope, signed, signature] =
    /^AWS4-HMAC-SHA256 Credential=([^,]+), *SignedHeaders=([^,]+), *Signature=([0-9a-f]{64})$/.exec(
      header(asked, 'authorization'),
    ) ?? [];
  if (scope === undefined || signed === undefined || signature === undefined) return undefined;
  return {
    scope: scope.split('/'),
    date: header(asked, 'x-amz-date'),
    forSeconds: undefined,
    signedHeaders: signed.split(';'),
    payload: header(asked, 'x-amz-content-sha256'),
    signature,
  };
}

function canonical(asked: Asked, pairs: readonly Pair[], given: Given): string {
  const query = pairs
    .filter(([name]) => name !== 'X-Amz-Signature')
    .map(([name, value]) => [encoded(name), encoded(value)] as const)
    .sort(([a, x], [b, y]) => (a === b ? (x < y ? -1 : 1) : a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
  const headers = given.signedHeaders.map(
    (name) => `${name}:${header(asked, name).trim().replace(/ +/g, ' ')}\n`,
  );
  const [path = ''] = asked.target.split('?', 1);
  return [asked.method, path, query, headers.join(''), given.signedHeaders.join(';'), given.payload].join(
    '\n',
  );
}

type Pair = readonly [name: string, value: string];

export function pairsOf(query: string): readonly Pair[] {
  return query
    .split('&')
    .filter((part) => part !== '')
    .map((part) => {
      const [name = '', value = ''] = part.split('=', 2);
      return [decodeURIComponent(name), decodeURIComponent(value)];
    });
}

const encoded = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

function header({ headers }: Asked, name: string): string {
  const value = headers[name];
  return value === undefined ? '' : typeof value === 'string' ? value : value.join(',');
}

/** `20260131T010203Z` */
function timeOf(date: string): number | undefined {
  const found = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(date);
  if (found === null) return undefined;
  const [, y, mo, d, h, mi, s] = found;
  return Date.parse(`${y}-${mo}-${d}T${h}:${mi}:${s}Z`);
}

const hex = (data: Uint8Array | string): string => createHash('sha256').update(data).digest('hex');
const hmac = (key: Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();
