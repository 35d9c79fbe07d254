import { expect, it } from 'vitest';
import { Remembered } from '../../../adapters/store/remembered.ts';

it('knows what was kept, and forgets what was not asked for longest', () => {
  const memory = new Remembered<string>(2);
  expect(memory.known('a')).toBeUndefined();
  expect(memory.keep('a', 'of a')).toBe('of a');
  memory.keep('b', 'of b');
  expect(memory.known('a')).toBe('of a');
  memory.keep('c', 'of c');
  expect([memory.known('a'), memory.known('b'), memory.known('c')]).toEqual(['of a', undefined, 'of c']);
});
