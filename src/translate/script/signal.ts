/** The signal that a script asks for ahead of its end, so that it can save what it has. */
import { type Script, written } from './script.ts';

/** Linux's numbers, of those that Slurm knows by name. */
const numbers: Readonly<Record<string, number>> = {
  ...{ HUP: 1, INT: 2, QUIT: 3, ABRT: 6, KILL: 9, USR1: 10, USR2: 12, ALRM: 14, TERM: 15, CHLD: 17 },
  ...{ CONT: 18, STOP: 19, TSTP: 20, TTIN: 21, TTOU: 22, URG: 23, XCPU: 24 },
};

/**
 * `#SBATCH --signal=B:USR1@120`: 10. Undefined: none, or one without `B:`, which reaches steps alone [decision 0012]. On sbatch's own command
 * line Slurm shows it to nobody.
 */
export function signalIn(script: Script): number | undefined {
  const [, flags, name = ''] =
    /^(?:([RB]{1,2}):)?([A-Za-z0-9]+)(?:@\d+)?$/i.exec(written(script, 'signal') ?? '') ?? [];
  if (flags?.toUpperCase().includes('B') !== true) return undefined;
  const signo = /^\d+$/.test(name) ? Number(name) : numbers[name.toUpperCase().replace(/^SIG/, '')];
  return signo !== undefined && signo >= 1 && signo <= 64 ? signo : undefined;
}
