import { expect, it } from 'vitest';
import { Remembered } from '../../../adapters/store/remembered.ts';

it('makes each once, and forgets what was not asked for longest', () => {
  const made: string[] = [];
  const known = new Remembered<string>(2);
  const ask = (hash: string): string =>
    known.get(hash, () => {
      made.push(hash);
      return `of ${hash}`;
    });
  expect([ask('a'), ask('b'), ask('a')]).toEqual(['of a', 'of b', 'of a']);
  expect(made).toEqual(['a', 'b']);
  ask('c');
  expect([ask('a'), ask('c')]).toEqual(['of a', 'of c']);
  expect(made).toEqual(['a', 'b', 'c']);
  ask('b');
  expect(made).toEqual(['a', 'b', 'c', 'b']);
});

it('keeps nothing of what could not be made', () => {
  const known = new Remembered<string>(2);
  const broken = (): string => {
    throw new Error('not a receipt');
  };
  expect(() => known.get('a', broken)).toThrow('not a receipt');
  expect(known.get('a', () => 'mended')).toBe('mended');
});
