import { printable } from '../../adapters/slurm/narrated.ts';
import { ConfigError } from '../../config/load.ts';
import { CommandError } from '../cli/ask.ts';
import { PortError } from '../domain/fault.ts';

/** What a person can mend is told in words, of which none moves the terminal's cursor, whoever wrote them; everything else keeps its stack. */
export function complaintOf(e: unknown): unknown {
  if (!(e instanceof ConfigError || e instanceof PortError || e instanceof CommandError)) return e;
  return e.message.split('\n').map(printable).join('\n');
}
