/** Completion and the manual, made from the commands themselves. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { completionOf, shells } from '../../src/cli/completion.ts';
import { manualOf } from '../../src/cli/manual.ts';
import { programOf, type Works } from '../../src/cli/program.ts';
import { everyVerb, treeOf } from '../../src/cli/tree.ts';

const tree = treeOf(programOf({} as Works));
const verbs = [...everyVerb(tree)].map(({ path }) => path.slice(1).join(' '));

/** What a real bash would offer for the last word. */
function offered(...words: readonly string[]): readonly string[] {
  const line = ['spillway', ...words];
  const script = `${completionOf(tree, 'bash')}
COMP_WORDS=(${line.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${line.length - 1}
_spillway; printf '%s\\n' "\${COMPREPLY[@]}"`;
  return execFileSync('bash', ['--norc', '-c', script], {
    encoding: 'utf8',
    cwd: new URL('../..', import.meta.url),
  })
    .split('\n')
    .filter((word) => word !== '');
}

describe('completion', () => {
  it('offers the verbs, and of those the ones that begin so', () => {
    expect(offered('')).toEqual(expect.arrayContaining(['serve', 'doctor', 'why', 'token', '--config']));
    expect(offered('de')).toEqual(['decline', 'delegate']);
    expect(offered('token', '')).toEqual(expect.arrayContaining(['list', 'revoke']));
    expect(offered('token', '')).not.toContain('serve');
  });

  it('knows the options of each verb, behind options of its own and their values too', () => {
    expect(offered('cost', '--b')).toEqual(['--by', '--billed']);
    expect(offered('-c', 'stop', 'cost', '--b')).toEqual(['--by', '--billed']);
    expect(offered('--config', 'x', 'audit', 'verify', '--a')).toEqual(['--anchors']);
  });

  it('gives files where a value or an argument stands', () => {
    expect(offered('-c', 'package.js')).toEqual(['package.json']);
    expect(offered('explain', 'package.js')).toEqual(['package.json']);
  });

  it.each(shells)('is a script that %s reads', (shell) => {
    const script = completionOf(tree, shell);
    // zsh's own two lines come first; what follows is the same.
    expect(() => execFileSync('bash', ['--norc', '-n'], { input: script })).not.toThrow();
    for (const verb of verbs) expect(script).toContain(`'${verb}')`);
  });
});

describe('the manual', () => {
  const manual = manualOf(tree);

  it('is in docs as the commands are', () => {
    const kept = readFileSync(new URL('../../docs/spillway.1', import.meta.url), 'utf8');
    expect(kept, 'npm run docs').toBe(manual);
  });

  it('tells every verb, option and argument', () => {
    const plain = manual.replaceAll('\\-', '-');
    for (const verb of everyVerb(tree)) {
      if (verb !== tree) expect(plain).toContain(`.SS "${verb.path.slice(1).join(' ')}`);
      for (const { flags } of verb.options) if (!flags.includes('--help')) expect(plain).toContain(flags);
      for (const { name } of verb.takes) expect(plain).toContain(name);
    }
  });

  it('has no line that roff would take for a request of its own', () => {
    const requests = /^\.(TH|SH|SS|TP|B|BR)( |$)/;
    for (const line of manual.split('\n').filter((l) => /^[.']/.test(l))) expect(line).toMatch(requests);
    expect(manual).toMatch(/^[ -~\n]*$/);
  });
});
