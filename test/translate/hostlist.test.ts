import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compressHosts, expandHosts } from '../../src/translate/index.ts';

describe('a list of hosts', () => {
  it.each([
    [[], ''],
    [['n1'], 'n1'],
    [['login'], 'login'],
    [['n1', 'n2', 'n3', 'n7'], 'n[1-3,7]'],
    [['n9', 'n10'], 'n[9-10]'],
    [['n09', 'n10', 'n11'], 'n[09-11]'],
    [['n9', 'n010'], 'n[9,010]'],
    [['ip-10-0-0-7', 'ip-10-0-0-8', 'ip-10-0-1-9'], 'ip-10-0-0-[7-8],ip-10-0-1-9'],
    [['n1', 'login', 'n2'], 'n1,login,n2'],
    [['login', 'login'], 'login,login'],
    [['i-0123456789', 'i-0123456790'], 'i-0123456789,i-0123456790'],
  ])('%j is written as Slurm writes it, %s, and read again', (hosts, list) => {
    expect(compressHosts(hosts)).toBe(list);
    expect(expandHosts(list)).toEqual(hosts);
  });

  it('keeps its order: the first host is where the script runs', () => {
    expect(compressHosts(['n3', 'n1', 'n2'])).toBe('n[3,1-2]');
    expect(expandHosts('n[3,1-2]')).toEqual(['n3', 'n1', 'n2']);
  });

  it('is read with several brackets in a name, as Slurm writes racks', () => {
    expect(expandHosts('r[1-2]n[08-09]')).toEqual(['r1n08', 'r1n09', 'r2n08', 'r2n09']);
  });

  it('property: what is written is read again, whatever the names', () => {
    const name = fc
      .tuple(
        fc.constantFrom('n', 'ip-10-0-0-', 'a1b', 'gpu'),
        fc.constantFrom('', '0', '00'),
        fc.integer({ min: 0, max: 30 }),
      )
      .map(([prefix, zeros, n]) => `${prefix}${zeros}${n}`);
    fc.assert(
      fc.property(fc.array(fc.oneof(name, fc.constant('login')), { maxLength: 20 }), (hosts) => {
        expect(expandHosts(compressHosts(hosts))).toEqual(hosts);
      }),
    );
  });

  it.each([
    ['n[1-', 'open bracket'],
    ['n1,,n2', 'empty name'],
    ['n[3-1]', 'no range'],
    ['n[a]', 'no range'],
    ['n 1', 'no host name'],
    ['n[0-999999999]', 'more than 65536'],
    ['a[0-299]b[0-299]', 'more than 65536'],
  ])('%s is no list, and it says why', (list, why) => {
    expect(() => expandHosts(list)).toThrow(why);
  });
});
