/** What `--signal` asks for: `[{R|B}:]<sig>[@seconds]`. [sbatch(1); slurm: src/common/proc_args.c, get_signal_opts] */
import { type Script, written } from './script.ts';

export interface Warning {
  readonly signo: number;
  /** Before the job's time is over. */
  readonly beforeMs: number;
}

const names: Readonly<Record<string, number>> = {
  ...{ HUP: 1, INT: 2, QUIT: 3, ABRT: 6, KILL: 9, USR1: 10, USR2: 12, ALRM: 14, TERM: 15 },
  ...{ CONT: 18, STOP: 19, TSTP: 20, TTIN: 21, TTOU: 22, URG: 23 },
};
const usualSeconds = 60;
const mostSeconds = 65_535;

/** Of the job's steps. Undefined: none is asked for, or it is the script's own (B:), which Slurm sends itself. */
export function stepsWarning(script: Script): Warning | undefined {
  const [, to, name = '', seconds] =
    /^(?:([BR]{1,2}):)?([A-Za-z0-9]+)(?:@(\d+))?$/i.exec(written(script, 'signal') ?? '') ?? [];
  if (/b/i.test(to ?? '')) return undefined;
  const upper = name.toUpperCase().replace(/^SIG/, '');
  const signo = Object.hasOwn(names, upper) ? names[upper] : /^\d+$/.test(upper) ? Number(upper) : undefined;
  const before = seconds === undefined ? usualSeconds : Number(seconds);
  if (signo === undefined || signo < 1 || signo > 64 || before > mostSeconds) return undefined;
  return { signo, beforeMs: before * 1000 };
}
