/**
 * Hash chains: each audit row and each receipt names the hash of the one before it, so that a changed, removed or
 * reordered row shows. The hash function is given: this room imports nothing.
 */

/** SHA-256 of a text's UTF-8 bytes, as 64 hexadecimal digits. */
export type Sha256 = (text: string) => string;

/** What the first link of a chain names as the one before it. */
export const chainStart = '0'.repeat(64);

/** One text for one value: keys sorted, keys of undefined left out, no spaces. (RFC 8785 for the values that occur here.) */
export function canonical(value: unknown): string {
  if (typeof value === 'string') return quoted(value);
  if (typeof value === 'number') return Number.isFinite(value) ? `${value}` : 'null';
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? 'null';
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  const fields = value as Readonly<Record<string, unknown>>;
  let text = '';
  for (const key of Object.keys(fields).sort()) {
    const inner = fields[key];
    if (inner !== undefined) text += `${text === '' ? '' : ','}${quoted(key)}:${canonical(inner)}`;
  }
  return `{${text}}`;
}

/** As JSON.stringify writes it, which is asked only where something must be escaped: every commit comes by here. */
function quoted(text: string): string {
  return escaped.test(text) ? JSON.stringify(text) : `"${text}"`;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON escapes them.
const escaped = /[\0-\x1f"\\\ud800-\udfff]/;

/**
 * Why a store could not give this value back as it is, or undefined if it can: JSON knows no NaN and no Infinity, and
 * Postgres's jsonb knows neither NUL nor half a surrogate pair.
 */
export function unstorable(value: unknown, path = ''): string | undefined {
  if (typeof value === 'number')
    return Number.isFinite(value) ? undefined : `${path}: ${value} is not a number`;
  if (typeof value === 'string')
    return /[\0\p{Surrogate}]/u.test(value) ? `${path}: text with NUL or half a surrogate pair` : undefined;
  if (value === null || typeof value !== 'object') return undefined;
  for (const [key, inner] of Object.entries(value)) {
    const found = unstorable(inner, path === '' ? key : `${path}.${key}`);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The hash of an audit row, over all its other fields. */
export function auditHash(body: Readonly<Record<string, unknown>>, sha256: Sha256): string {
  return sha256(canonical(body));
}

/** `seq` counts from 1 within an attempt. */
export function receiptHash(receipt: unknown, seq: number, prev: string, sha256: Sha256): string {
  return sha256(canonical({ receipt: sha256(canonical(receipt)), seq, prev }));
}

export interface AuditLink {
  readonly subject: string;
  /** From 1; the subject's rev after the write. */
  readonly seq: number;
  readonly at: number;
  readonly from: string | undefined;
  readonly to: string;
  readonly why: string;
  /** Hash of the subject's canonical text after the write. */
  readonly data: string;
  readonly prev: string;
  readonly hash: string;
}
