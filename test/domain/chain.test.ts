import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonical } from '../../src/domain/chain.ts';

/** Keys in order, and all else left to JSON.stringify. */
function sorted(value: unknown): unknown {
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map(sorted);
  const fields = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  // A map, since an object puts keys that are numbers first.
  return new Map(fields.map(([key, inner]) => [key, sorted(inner)]));
}

function written(value: unknown): string {
  if (value instanceof Map)
    return `{${[...value].map(([key, inner]) => `${JSON.stringify(key)}:${written(inner)}`).join(',')}}`;
  if (Array.isArray(value)) return `[${value.map(written).join(',')}]`;
  return JSON.stringify(value);
}

describe('the text that is hashed', () => {
  it('is what JSON.stringify writes, with keys in order', () => {
    const value = fc.jsonValue({ stringUnit: 'binary' });
    fc.assert(fc.property(value, (v) => canonical(v) === written(sorted(v))));
    const text = fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((c) => String.fromCharCode(c)) });
    fc.assert(fc.property(text, (t) => canonical(t) === JSON.stringify(t)));
    fc.assert(fc.property(fc.double(), (n) => canonical(n) === JSON.stringify(n)));
  });

  it('leaves out what is undefined', () => {
    expect(canonical({ b: undefined, a: [undefined, true], c: {} })).toBe('{"a":[null,true],"c":{}}');
  });
});
