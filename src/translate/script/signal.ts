/** The signal that a script asks for ahead of its end, so that it can save what it has. [sbatch(1); slurm: src/common/proc_args.c, get_signal_opts] */
import { signalNumber } from '../signals.ts';
import { type Script, written } from './script.ts';

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
  const signo = signalNumber(name);
  const before = seconds === undefined ? usualSeconds : Number(seconds);
  if (signo === undefined || before > mostSeconds) return undefined;
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
