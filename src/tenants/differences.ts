/** Where what is asked for is not what is there. Pure. */
import type { KubeObject } from '../domain/tenants.ts';

type Json = Readonly<Record<string, unknown>>;

/** Paths such as `spec.hard.count/pods`. What is there and is not asked for counts only through the `applied` annotation. */
export function differences(asked: KubeObject, there: KubeObject): readonly string[] {
  return within(asked, there, '');
}

function within(asked: unknown, there: unknown, path: string): readonly string[] {
  if (Array.isArray(asked)) {
    if (!Array.isArray(there) || there.length !== asked.length) return [path];
    return asked.flatMap((item, i) => within(item, there[i], `${path}[${i}]`));
  }
  if (typeof asked === 'object' && asked !== null) {
    // An empty map that was posted may come back as none.
    const own: Json = typeof there === 'object' && there !== null ? (there as Json) : {};
    return Object.entries(asked).flatMap(([key, value]) =>
      value === undefined ? [] : within(value, own[key], path === '' ? key : `${path}.${key}`),
    );
  }
  return same(asked, there) ? [] : [path];
}

/** `1000m` and `1`, `1024Mi` and `1Gi` are one quantity; an empty text may come back as none. */
function same(asked: unknown, there: unknown): boolean {
  if (asked === there || (asked === '' && there === undefined)) return true;
  const [a, b] = [amount(asked), amount(there)];
  return a !== undefined && a === b;
}

const factors: Readonly<Record<string, number>> = {
  m: 1e-3,
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
};

function amount(value: unknown): number | undefined {
  const match = typeof value === 'string' ? /^(\d+(?:\.\d+)?)(m|k|M|G|T|Ki|Mi|Gi|Ti)?$/.exec(value) : null;
  return match === null ? undefined : Number(match[1]) * (factors[match[2] ?? ''] ?? 1);
}
