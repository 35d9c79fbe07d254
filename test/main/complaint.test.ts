/** What a command that fails says last. */
import { expect, it } from 'vitest';
import { ConfigError } from '../../config/load.ts';
import { CommandError } from '../../src/cli/ask.ts';
import { PortError } from '../../src/domain/fault.ts';
import { complaintOf } from '../../src/main/complaint.ts';

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
