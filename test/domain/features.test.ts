import { describe, expect, it } from 'vitest';
import { meets, readConstraint } from '../../src/domain/features.ts';

const met = (text: string, ...has: string[]): boolean | string => {
  const constraint = readConstraint(text);
  return constraint.kind === 'unread' ? constraint.why : meets(constraint, new Set(has));
};

describe('a constraint', () => {
  it.each<[string, string[], boolean]>([
    ['a', ['a'], true],
    ['a', ['b'], false],
    ['a&b', ['a', 'b'], true],
    ['a&b', ['a'], false],
    ['a|b', ['b'], true],
    ['a|b', [], false],
    ['[a|b]', ['b'], true],
    ['(a|b)&c', ['b', 'c'], true],
    ['(a|b)&c', ['b'], false],
    ['a&(b|[c|d])', ['a', 'd'], true],
    ['cpu-gen:7.1', ['cpu-gen:7.1'], true],
  ])('%s on a node with %o: %s', (text, has, wanted) => {
    expect(met(text, ...has)).toBe(wanted);
  });

  it.each<[string, RegExp]>([
    ['[a*2&b*1]', /a count \(\*\) asks for nodes of different kinds/],
    ['a*4', /a count/],
    ['a&b|c', /write parentheses/],
    ['(a|b', /no \) for a \(/],
    ['a)', /cannot be read/],
    ['a&', /"" is no feature/],
    ['!a', /"!a" is no feature/],
    ['('.repeat(51), /more than 50 brackets/],
  ])('%s is not read, and says why', (text, why) => {
    expect(met(text, 'a', 'b', 'c')).toMatch(why);
  });
});
