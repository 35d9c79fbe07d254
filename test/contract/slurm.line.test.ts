/** The wire face reads exactly what the adapter sends, and takes nothing else for a command. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { quote, Shell } from '../../adapters/slurm/shell.ts';
import { NoShell, readLine, wordsOf } from '../../lab/servers/slurm-line.ts';
import { limitOf, readSubmission, workOf } from '../../lab/servers/slurm-sbatch.ts';
import { instant } from '../../src/domain/ids.ts';

const text = fc.string({ unit: 'binary', maxLength: 40 }).filter((one) => !one.includes('\0'));

describe('a line', () => {
  test('of the adapter’s is read word for word, whatever is in it', () => {
    const shell = new Shell({ SLURM_CONF: '/etc/slurm "my" conf' });
    fc.assert(
      fc.property(fc.array(text, { maxLength: 5 }), fc.integer({ min: 1, max: 99 }), (args, seconds) => {
        const read = readLine(shell.read(['scontrol', ...args], seconds));
        expect(read).toMatchObject({
          argv: ['scontrol', ...args],
          limitSeconds: seconds,
          deadline: undefined,
        });
        expect(read.env.get('SLURM_CONF')).toBe('/etc/slurm "my" conf');
        expect(read.env.get('SLURM_TIME_FORMAT')).toBe('%s');
        const written = readLine(shell.write(['scontrol', ...args], instant(1_800_000_000_999)));
        expect(written.argv).toEqual(['scontrol', ...args]);
        expect(written.deadline).toEqual({ second: 1_800_000_000, code: 75 });
      }),
    );
  });

  test('is words, quoted in any way', () => {
    fc.assert(
      fc.property(text, (one) => {
        expect(wordsOf(quote(one))).toEqual([one]);
      }),
    );
    expect(wordsOf(` a\\ b  'c "d'"e 'f' \\"g\\""h '' \\\n`)).toEqual([`a b`, `c "de 'f' "g"h`, '']);
  });

  test.each(['a; b', 'a | b', 'a > b', '$HOME', '`id`', '"$(id)"', 'a &', '# a', "a 'b", 'a "b', '*'])(
    'that needs a shell is refused: %s',
    (line) => {
      expect(() => readLine(line)).toThrow(NoShell);
    },
  );

  test.each(["exec sh -c 'id'", "exec sh -c '[ 1 -lt 2 ] || exit 1; exec id'", 'timeout -k 5 9 id'])(
    'that is not the adapter’s is no way around: %s',
    (line) => {
      expect(() => readLine(line)).toThrow(NoShell);
    },
  );
});

describe('sbatch', () => {
  test('takes options in every form', () => {
    const args = [
      '-p',
      'batch',
      '-Jname',
      '--time=1:30',
      '-N1-2',
      '--mem',
      '2G',
      '-a',
      '1-3%2',
      '--no-requeue',
    ];
    expect(readSubmission([...args, '-d', 'afterok:3:4', '-H', '--parsable'], 'exit 3')).toEqual({
      parsable: true,
      ask: {
        partition: 'batch',
        name: 'name',
        timeMs: 90_000,
        minNodes: 1,
        maxNodes: 2,
        memory: { per: 'node', mib: 2048 },
        array: '1-3%2',
        requeue: false,
        held: true,
        after: [
          { kind: 'afterok', ref: '3' },
          { kind: 'afterok', ref: '4' },
        ],
        work: { ms: 0, exit: 3 },
      },
    });
  });

  test('reads what a script would do', () => {
    expect(workOf('#!/bin/sh\nsleep 1.5\necho hi\nsleep 2\n')).toEqual({ ms: 3_500, exit: 0 });
    expect(workOf('sleep 1; kill -9 $$')).toEqual({ ms: 1_000, signal: 9 });
    expect(['90', '1:30', '1:00:00', '1-2', '1-02:30', 'UNLIMITED'].map(limitOf)).toEqual([
      5_400_000,
      90_000,
      3_600_000,
      93_600_000,
      95_400_000,
      'unlimited',
    ]);
  });
});
