/** Linux's numbers of signals, by the names that Slurm knows and those that the agent does not pass on. [slurm: src/common/proc_args.c, sig_name2num] */
const numbers: Readonly<Record<string, number>> = {
  ...{
    HUP: 1,
    INT: 2,
    QUIT: 3,
    ABRT: 6,
    KILL: 9,
    USR1: 10,
    USR2: 12,
    PIPE: 13,
    ALRM: 14,
    TERM: 15,
    CHLD: 17,
  },
  ...{ CONT: 18, STOP: 19, TSTP: 20, TTIN: 21, TTOU: 22, URG: 23, XCPU: 24, PROF: 27 },
};

/** `USR1`, `SIGUSR1`, `10`. Undefined: no signal that a job can be sent. */
export function signalNumber(text: string): number | undefined {
  const name = text.toUpperCase().replace(/^SIG/, '');
  const number = /^\d{1,3}$/.test(text)
    ? Number(text)
    : Object.hasOwn(numbers, name)
      ? numbers[name]
      : undefined;
  return number === undefined || number < 1 || number > 64 ? undefined : number;
}
