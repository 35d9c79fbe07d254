import { execFileSync, spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { expiredCode, killedCode, quote, refOf, Shell } from '../../../adapters/slurm/shell.ts';
import { faultOf } from '../../../src/domain/fault.ts';
import { instant, jobRef } from '../../../src/domain/ids.ts';

const faultIn = (work: () => unknown): unknown => {
  try {
    work();
  } catch (error) {
    return faultOf(error) ?? error;
  }
  return undefined;
};

const sh = (line: string) => spawnSync('sh', ['-c', line], { encoding: 'utf8' });

describe('quoting', () => {
  test.each([
    "it's",
    '$(touch /tmp/x) `id` ${HOME} $HOME',
    'a"b\\c',
    '; rm -rf ~ #',
    'two\nlines\n',
    '',
    '-n',
    '*?[a]{b,c}~!',
    "'",
    "\\'",
    'é\x1f\x01\x7f',
    '=cmd',
  ])('%j arrives as it is', (text) => {
    expect(execFileSync('sh', ['-c', `printf %s ${quote(text)}`], { encoding: 'utf8' })).toBe(text);
  });

  test('any text arrives as it is, quoted once and quoted twice', () => {
    const text = fc.string({ unit: 'grapheme' }).filter((s) => !s.includes('\0'));
    fc.assert(
      fc.property(text, (s) => {
        const once = `printf %s ${quote(s)}`;
        expect(sh(once).stdout).toBe(s);
        expect(sh(`sh -c ${quote(once)}`).stdout).toBe(s);
      }),
      { numRuns: 60 },
    );
  });

  test('a NUL is refused', () => {
    expect(faultIn(() => quote('a\0b'))).toBe('invalid');
  });
});

describe('job ids', () => {
  test.each(['1', '120', '120_3', '4294967294'])('%s', (ref) => {
    expect(refOf(jobRef(ref), 'x')).toBe(ref);
  });

  test.each([
    '',
    '0',
    '-1',
    '1;id',
    '1 2',
    '1_',
    '_1',
    '1_2_3',
    '1,2',
    '1_[2-3]',
    '1\n',
    '1+0',
    '01',
    '12345678901',
  ])('%j is none', (ref) => {
    expect(faultIn(() => refOf(jobRef(ref), 'x'))).toBe('invalid');
  });
});

describe('commands', () => {
  const shell = new Shell({ SLURM_CONF: "/etc/o'dd path/slurm.conf", PATH: process.env.PATH ?? '' });

  test('carry the configured environment, epoch times and full array lists', () => {
    const line = shell.read(
      ['sh', '-c', 'echo "$SLURM_CONF|$SLURM_TIME_FORMAT|$TZ|$LC_ALL|$SLURM_BITSTR_LEN"'],
      5,
    );
    expect(sh(line).stdout.trim()).toBe("/etc/o'dd path/slurm.conf|%s|UTC|C|0");
  });

  test('a name that is no environment variable is refused', () => {
    expect(faultIn(() => new Shell({ 'A=b; id #': 'x' }))).toBe('invalid');
  });

  test('a write is made before its deadline', () => {
    const done = sh(shell.write(['echo', 'it is', "done; it's"], instant(Date.now() + 60_000)));
    expect(done).toMatchObject({ status: 0, stdout: "it is done; it's\n" });
  });

  test('and not after it', () => {
    const late = sh(shell.write(['echo', 'done'], instant(Date.now() - 1_000)));
    expect(late).toMatchObject({ status: expiredCode, stdout: '' });
  });

  test('what hangs on the far side is killed there', () => {
    const hung = sh(`${shell.read(['sleep', '60'], 1)}; echo $?`);
    expect(hung.stdout.trim()).toBe(`${killedCode}`);
  });
});
