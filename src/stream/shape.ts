/** Reads JSON of a far side into exactly the fields that are known, in the order in which they are declared. */
import { FrameError } from './frames.ts';

export type Shape<T> = (value: unknown, at: string) => T;
interface Optional<T> {
  readonly optional: Shape<T>;
}
type Fields = Readonly<Record<string, Shape<unknown> | Optional<unknown>>>;
export type Read<S> = S extends Shape<infer T> ? T : never;
type ReadFields<F extends Fields> = {
  readonly [K in keyof F as F[K] extends Optional<unknown> ? never : K]: Read<F[K]>;
} & {
  readonly [K in keyof F as F[K] extends Optional<unknown> ? K : never]?: F[K] extends Optional<infer T>
    ? T
    : never;
};

function bad(at: string, what: string): never {
  throw new FrameError('malformed', `${at}: ${what}`);
}

/** Whole, from 0 to 2^53-1. */
export const whole: Shape<number> = (v, at) =>
  typeof v === 'number' && Number.isSafeInteger(v) && v >= 0 ? v : bad(at, 'not a whole number');
export const text: Shape<string> = (v, at) => (typeof v === 'string' ? v : bad(at, 'not a text'));
export const flag: Shape<boolean> = (v, at) => (typeof v === 'boolean' ? v : bad(at, 'not a boolean'));

export const within =
  (low: number, high: number): Shape<number> =>
  (v, at) => {
    const n = whole(v, at);
    return n >= low && n <= high ? n : bad(at, `not within ${low} and ${high}`);
  };

export const nonEmpty: Shape<string> = (v, at) => text(v, at) || bad(at, 'empty');

/** What may stand in a file's name. */
export const token: Shape<string> = (v, at) => {
  const s = text(v, at);
  return /^[A-Za-z0-9-]{1,64}$/.test(s) ? s : bad(at, 'not of letters, digits and dashes');
};

export const hex =
  (digits: number): Shape<string> =>
  (v, at) => {
    const s = text(v, at);
    return s.length === digits && /^[0-9a-fA-F]*$/.test(s) ? s : bad(at, `not ${digits} hex digits`);
  };

export const base64: Shape<string> = (v, at) => {
  const s = text(v, at);
  return s.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(s) ? s : bad(at, 'not base64');
};

export const oneOf =
  <const T extends string | number>(...values: readonly T[]): Shape<T> =>
  (v, at) =>
    values.find((x) => x === v) ?? bad(at, `not one of ${values.join(', ')}`);

export const list =
  <T>(of: Shape<T>, least = 0): Shape<readonly T[]> =>
  (v, at) => {
    if (!Array.isArray(v) || v.length < least) return bad(at, 'not a list, or too short');
    return v.map((x: unknown, i) => of(x, `${at}[${i}]`));
  };

export const pair =
  <T>(of: Shape<T>): Shape<readonly [T, T]> =>
  (v, at) =>
    Array.isArray(v) && v.length === 2
      ? [of(v[0], `${at}[0]`), of(v[1], `${at}[1]`)]
      : bad(at, 'not a list of two');

export const table =
  <T>(of: Shape<T>): Shape<Readonly<Record<string, T>>> =>
  (v, at) => {
    // fromEntries defines, it does not assign: a name such as __proto__ is a name like any other.
    return Object.fromEntries(Object.entries(record(v, at)).map(([k, x]) => [k, of(x, `${at}.${k}`)]));
  };

export const optional = <T>(shape: Shape<T>): Optional<T> => ({ optional: shape });

export const object =
  <F extends Fields>(fields: F): Shape<ReadFields<F>> =>
  (v, at) => {
    const from = record(v, at);
    const entries: [string, unknown][] = [];
    for (const [key, field] of Object.entries(fields)) {
      const value = Object.hasOwn(from, key) ? from[key] : undefined;
      if (typeof field === 'function') entries.push([key, field(value, `${at}.${key}`)]);
      else if (value !== undefined && value !== null)
        entries.push([key, field.optional(value, `${at}.${key}`)]);
    }
    return Object.fromEntries(entries) as ReadFields<F>;
  };

function record(v: unknown, at: string): Readonly<Record<string, unknown>> {
  return typeof v === 'object' && v !== null && !Array.isArray(v)
    ? (v as Readonly<Record<string, unknown>>)
    : bad(at, 'not an object');
}
