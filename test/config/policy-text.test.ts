/** A policy by itself: read as a configuration's is, and taken out of one. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseConfig, policyTextOf } from '../../config/load.ts';
import { isConfiguration, readPolicyText, writtenIn } from '../../config/policy-text.ts';
import { plainly, policyTermsOf } from '../../src/main/policies.ts';
import { policyHashOf, policyOf } from '../../src/main/settings.ts';
import { configuration, tighter } from '../policies.ts';

describe('a policy by itself', () => {
  it.each(['small', 'lab', 'observe', 'shared'])(
    'taken out of config/examples/%s.yaml means what it means there, and has the same hash in receipts',
    (name) => {
      const text = readFileSync(new URL(`../../config/examples/${name}.yaml`, import.meta.url), 'utf8');
      const config = parseConfig(text, name);
      expect(isConfiguration(text)).toBe(true);
      const read = policyTermsOf(config).read(policyTextOf(config));
      // Each reading compiles its expressions for itself.
      const same = plainly({ ok: true, policy: policyOf(config), policyHash: policyHashOf(config) });
      expect(plainly(read)).toEqual(same);
    },
  );

  it('is the same text, so the same version, whatever stands around it', () => {
    const one = parseConfig(configuration(tighter), 'a');
    const other = parseConfig(`# comments\n${configuration(`mounts: []\n\n${tighter}`)}`, 'b');
    expect(policyTextOf(one)).toBe(policyTextOf(other));
    expect(policyTextOf(one)).not.toBe(policyTextOf(parseConfig(configuration('policy: {}\n'), 'c')));
  });

  it('has another hash in receipts than another one, and the file’s forecast', () => {
    const config = parseConfig(configuration('policy: { maxBursts: 5, forecast: { draws: 7 } }\n'), 'a');
    const terms = policyTermsOf(config);
    const read = terms.read('policy: { maxBursts: 6 }');
    expect(read).toMatchObject({ ok: true, policy: { maxBursts: 6 } });
    if (read.ok) expect(read.policyHash).not.toBe(policyHashOf(config));
    expect(terms.read('policy: { maxBursts: 5 }')).toMatchObject({ policyHash: policyHashOf(config) });
  });

  it('brings no budgets to a cluster that is charged to the allocation', () => {
    const terms = policyTermsOf(parseConfig(configuration('', { charge: 'allocation' }), 'a'));
    expect(terms.read('policy: {}\nbudgets: [{ usd: 5 }]\n')).toMatchObject({
      ok: false,
      problems: [{ field: 'budgets', text: expect.stringContaining('leave them out') }],
    });
    expect(terms.read('policy: {}\nbudgets: []\n').ok).toBe(true);
  });

  it('that holds nothing, no map or a NUL is none', () => {
    for (const text of ['', '7', '[]', 'policy: 7', 'policy: { never: [{ account: "a\\0b" }] }'])
      expect([text, readPolicyText(text).ok]).toEqual([text, false]);
  });

  it('that no store can keep is none, and is told where, in a comment too', () => {
    for (const odd of ['\0', '\ud800', '\udc00\ud800'])
      expect(readPolicyText(`policy: {}\n# a${odd}b\n`)).toMatchObject({
        ok: false,
        problems: [{ text: expect.stringContaining('take it out'), line: 2, column: 4 }],
      });
    expect(readPolicyText('policy: {} # \u{1f600}\n').ok).toBe(true);
  });

  it.each([
    ['brackets', '['.repeat(100_000), 'nested too deep'],
    ['maps', `policy: ${'{ a: '.repeat(50_000)}`, 'nested too deep'],
    ['marks of one line', '- '.repeat(100_000), 'nested too deep'],
    ['brackets that a quoted one seems to close', '[ "]", '.repeat(10_000), 'nested too deep'],
    ['indents', Array.from({ length: 200 }, (_, i) => `${' '.repeat(i)}a:\n`).join(''), 'nested too deep'],
    ['brackets that close nothing', '}'.repeat(100_000), 'nothing opened'],
    ['anchors', '&a '.repeat(100_000), 'anchors'],
    [
      'keys of one map',
      Array.from({ length: 100_000 }, (_, i) => `k${i}:\n`).join(''),
      'unknown key|missing',
    ],
    [
      'keys of one inner map',
      `policy: { ${Array.from({ length: 100_000 }, (_, i) => `k${i}: 1`).join(', ')} }`,
      'unknown key',
    ],
    ['the same key', 'a:\n'.repeat(100_000), 'must be unique'],
    ['commas', `[${','.repeat(100_000)}]`, 'Unexpected ,'],
    ['aliases', `a: &a [1]\nb: [${'*a,'.repeat(1_000)}]`, 'unknown key|Excessive'],
  ])('of nothing but %s is refused before it costs the process that reads it', (_what, text, why) => {
    const read = readPolicyText(text);
    expect(read).toMatchObject({
      ok: false,
      problems: [
        { text: expect.stringMatching(why) },
        ...Array(read.ok ? 0 : read.problems.length - 1).fill({}),
      ],
    });
    expect(writtenIn(text)).toBeDefined();
  });

  it('with thousands of budgets is read', () => {
    const budgets = Array.from({ length: 4_000 }, (_, i) => `  - { account: "a[${i}", usd: 5000 }`).join(
      '\n',
    );
    expect(readPolicyText(`policy: {}\nbudgets:\n${budgets}\n`)).toMatchObject({ ok: true });
  });
});
