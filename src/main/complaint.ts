import { CommanderError } from 'commander';
import { printable } from '../../adapters/slurm/narrated.ts';
import { ConfigError } from '../../config/load.ts';
import { CommandError, UsageError } from '../cli/ask.ts';
import { PortError } from '../domain/fault.ts';

/** EX_USAGE. [sysexits.h(3)] */
const usage = 64;

/** As the manual's table has them. */
export function exitCodeOf(e: unknown): number {
  if (e instanceof CommanderError) return e.exitCode === 0 ? 0 : usage;
  if (e instanceof UsageError) return usage;
  return e instanceof ConfigError ? 2 : 1;
}

/** What a person can mend is told in words, of which none moves the terminal's cursor, whoever wrote them; everything else keeps its stack. */
export function complaintOf(e: unknown): unknown {
  if (!(e instanceof ConfigError || e instanceof PortError || e instanceof CommandError)) return e;
  return e.message.split('\n').map(printable).join('\n');
}
