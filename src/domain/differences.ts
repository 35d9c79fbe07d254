/** What is another in one of two values, field by field, as it was written. */

export interface Difference {
  /** As in `policy.or[0].expr`; empty for all of it. */
  readonly field: string;
  /** Undefined: it does not stand there. */
  readonly from: unknown;
  readonly to: unknown;
}

/** Lists are compared place by place. */
export function differencesOf(from: unknown, to: unknown, field = ''): readonly Difference[] {
  if (Array.isArray(from) && Array.isArray(to)) {
    const places = Array.from({ length: Math.max(from.length, to.length) }, (_, i) => i);
    return places.flatMap((i) => differencesOf(from[i], to[i], `${field}[${i}]`));
  }
  if (isRecord(from) && isRecord(to)) {
    const keys = [...new Set([...Object.keys(from), ...Object.keys(to)])];
    return keys.flatMap((key) =>
      differencesOf(own(from, key), own(to, key), field === '' ? key : `${field}.${key}`),
    );
  }
  return Object.is(from, to) ? [] : [{ field, from, to }];
}

const own = (of: Readonly<Record<string, unknown>>, key: string): unknown =>
  Object.hasOwn(of, key) ? of[key] : undefined;

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
