/** What a command that fails says last. */
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../config/load.ts';
import { CommandError } from '../../src/cli/ask.ts';
import { programOf, type Works } from '../../src/cli/program.ts';
import { PortError } from '../../src/domain/fault.ts';
import { complaintOf, exitCodeOf } from '../../src/main/complaint.ts';

it('is in words, whose lines stay lines, and a login node cannot write over what stands above them', () => {
  const words = 'Unable to contact\x1b[2A\x1b]0;owned\x07\nline 2\u202e';
  const told = 'Unable to contact\\x1b[2A\\x1b]0;owned\\x07\nline 2\\x202e';
  expect(complaintOf(new PortError('unreachable', 'slurm.survey', words))).toContain(told);
  expect(complaintOf(new CommandError(words))).toBe(told);
  expect(complaintOf(new ConfigError('c.yaml', [{ field: '', text: words, line: 1, column: 1 }]))).toContain(
    told,
  );
});

it('keeps its stack where nobody can mend it by what he types', () => {
  const bug = new TypeError('x is undefined');
  expect(complaintOf(bug)).toBe(bug);
});

describe('an exit code', () => {
  const typed = async (...args: string[]): Promise<number> => {
    const program = programOf({
      gateway: async () => ({ host: '127.0.0.1', port: 1 }),
    } as Partial<Works> as Works);
    const quiet = { writeOut: () => undefined, writeErr: () => undefined };
    for (const command of everyCommand(program)) command.configureOutput(quiet);
    return program.parseAsync(args, { from: 'user' }).then(() => 0, exitCodeOf);
  };
  const everyCommand = (of: Command): Command[] => [of, ...of.commands.flatMap(everyCommand)];

  it.each([
    [['explain', '--nope']],
    [['nope']],
    [['token', 'create']],
    [['token', 'create', '--user', 'a b']],
    [['why']],
    [['why', 'abc']],
    [['output', '4711', '--stream', 'both']],
    [['cost', '--by', 'moon']],
    [['cost', '--since', 'ever']],
  ])('of what is typed wrong is 64, whatever the verb answers by 1: %j', async (args) => {
    expect(await typed(...args)).toBe(64);
  });

  it.each([[['--help']], [['explain', '--help']]])('of %j is 0', async (args) => {
    expect(await typed(...args)).toBe(0);
  });

  it('of a configuration that cannot be read is 2, of all else 1', () => {
    expect(
      exitCodeOf(
        new ConfigError('x.yaml', [{ field: '', text: 'there is no such file', line: 1, column: 1 }]),
      ),
    ).toBe(2);
    expect(exitCodeOf(new CommandError('no gateway answers'))).toBe(1);
    expect(exitCodeOf(new Error('a fault of ours'))).toBe(1);
  });
});
