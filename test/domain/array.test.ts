import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { expandArray } from '../../src/domain/array.ts';

describe('what is left of an array', () => {
  test.each([
    ['3-5,9', [3, 4, 5, 9], undefined],
    ['3-5,12%2', [3, 4, 5, 12], 2],
    ['[3-5,12%2]', [3, 4, 5, 12], 2],
    ['7', [7], undefined],
    ['0-20:5', [0, 5, 10, 15, 20], undefined],
    ['1-6:2,8%10', [1, 3, 5, 8], 10],
    ['1-3%0', [1, 2, 3], undefined],
  ] as const)('%s', (text, indices, throttle) => {
    expect(expandArray(text, 100)).toEqual({ indices, throttle });
  });

  test('only the first ones are made, however long the array is', () => {
    expect(expandArray('0-999999999%50', 3)).toEqual({ indices: [0, 1, 2], throttle: 50 });
    expect(expandArray('5,6,7%1', 0)).toEqual({ indices: [], throttle: 1 });
  });

  test('what Slurm cut short is not guessed: the last number may have lost digits', () => {
    expect(expandArray('1,3,5,7,1...', 100).indices).toEqual([1, 3, 5, 7]);
    expect(expandArray('1,3,...', 100).indices).toEqual([1, 3]);
  });

  test.each(['', 'N/A', '(null)', 'a-b', '1-', '-3', '1--3', '1-3:0', '1;2', '1%', '[]'])(
    '%j has no tasks',
    (text) => {
      expect(expandArray(text, 100)).toEqual({ indices: [], throttle: undefined });
    },
  );

  test('any set of tasks survives being written and read', () => {
    const tasks = fc.uniqueArray(fc.nat(9_999), { minLength: 1, maxLength: 50 });
    fc.assert(
      fc.property(tasks, fc.option(fc.integer({ min: 1, max: 99 }), { nil: undefined }), (set, throttle) => {
        const sorted = [...set].sort((a, b) => a - b);
        const text = `${sorted.join(',')}${throttle === undefined ? '' : `%${throttle}`}`;
        expect(expandArray(text, 100)).toEqual({ indices: sorted, throttle });
      }),
    );
  });
});
