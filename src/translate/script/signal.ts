/** The signal that a script asks for ahead of its end, so that it can save what it has. [sbatch(1); slurm: src/common/proc_args.c, get_signal_opts] */
import { type Script, written } from './script.ts';

/** Linux's numbers, of those that Slurm knows by name. */
const numbers: Readonly<Record<string, number>> = {
  ...{ HUP: 1, INT: 2, QUIT: 3, ABRT: 6, KILL: 9, USR1: 10, USR2: 12, ALRM: 14, TERM: 15, CHLD: 17 },
  ...{ CONT: 18, STOP: 19, TSTP: 20, TTIN: 21, TTOU: 22, URG: 23, XCPU: 24 },
};
const usualSeconds = 60;
const mostSeconds = 65_535;

interface Asked {
  readonly forScript: boolean;
  readonly signo: number;
  readonly beforeMs: number;
}

function asked(script: Script): Asked | undefined {
  const [, flags = '', name = '', seconds] =
    /^(?:([RB]{1,2}):)?([A-Za-z0-9]+)(?:@(\d+))?$/i.exec(written(script, 'signal') ?? '') ?? [];
  const known = name.toUpperCase().replace(/^SIG/, '');
  const named = Object.hasOwn(numbers, known) ? numbers[known] : undefined;
  const signo = /^\d+$/.test(name) ? Number(name) : named;
  const before = seconds === undefined ? usualSeconds : Number(seconds);
  if (signo === undefined || signo < 1 || signo > 64 || before > mostSeconds) return undefined;
  return { forScript: flags.toUpperCase().includes('B'), signo, beforeMs: before * 1000 };
}

/**
 * `#SBATCH --signal=B:USR1@120`: 10. Undefined: none, or one without `B:`, which reaches steps alone [decision 0012].
 */
export function signalIn(script: Script): number | undefined {
  const signal = asked(script);
  return signal?.forScript === true ? signal.signo : undefined;
}

/** `#SBATCH --signal=USR1@120`, for the job's steps: 10, 120 s before its time is over. Undefined: none, or one with `B:`. */
export function stepsWarning(
  script: Script,
): { readonly signo: number; readonly beforeMs: number } | undefined {
  const signal = asked(script);
  if (signal === undefined || signal.forScript) return undefined;
  return { signo: signal.signo, beforeMs: signal.beforeMs };
}
