/** What is told apart is what is another. */
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type Difference, differencesOf } from '../../src/domain/differences.ts';

/** As YAML gives it, without what would stand in its place of another. */
const value = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom(1, 2, 'a', true, null),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom('a', 'b', 'c', 'toString'), tie('value')),
  ),
})).value;

/** Dictionaries of a generator have no prototype. */
const plain = (of: unknown): unknown => JSON.parse(JSON.stringify(of));

it('nothing differs from itself; whatever differs is told, and the other way round the same', () => {
  fc.assert(
    fc.property(value, value, (a, b) => {
      expect(differencesOf(a, structuredClone(a))).toEqual([]);
      const there = differencesOf(a, b);
      const back = differencesOf(b, a).map(
        ({ field, from, to }): Difference => ({ field, from: to, to: from }),
      );
      const byField = (x: Difference, y: Difference) => (x.field < y.field ? -1 : 1);
      expect([...there].sort(byField)).toEqual([...back].sort(byField));
      expect(there.length === 0).toBe(isDeepStrictEqual(plain(a), plain(b)));
    }),
  );
});

it('each by the field that an operator knows it by', () => {
  const from = { policy: { or: [{ expr: 'a' }], maxBursts: 5 } };
  const to = { policy: { or: [{ expr: 'b' }, { expr: 'c' }] }, budgets: [] };
  expect(differencesOf(from, to)).toEqual([
    { field: 'policy.or[0].expr', from: 'a', to: 'b' },
    { field: 'policy.or[1]', from: undefined, to: { expr: 'c' } },
    { field: 'policy.maxBursts', from: 5, to: undefined },
    { field: 'budgets', from: undefined, to: [] },
  ]);
  expect(differencesOf([], {})).toEqual([{ field: '', from: [], to: {} }]);
});
