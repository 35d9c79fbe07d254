/** What is sent to the far shell: every argument quoted here, and nowhere else. */
import { PortError } from '../../src/domain/fault.ts';
import type { Instant, JobRef } from '../../src/domain/ids.ts';

/** One word for any POSIX shell, whatever is in it. A NUL cannot be in an argument at all. */
export function quote(argument: string): string {
  if (argument.includes('\0')) throw new PortError('invalid', 'slurm', 'an argument contains a NUL');
  return /^[A-Za-z0-9_./-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", `'\\''`)}'`;
}

/** Ids reach the command line only through here. */
export function refOf(ref: JobRef, at: string): string {
  if (!/^[1-9]\d{0,9}(_\d{1,9})?$/.test(ref))
    throw new PortError('invalid', at, `${JSON.stringify(ref)} is not a job id`);
  return ref;
}

/** The far side dropped a write because its deadline was over: nothing changed. (EX_TEMPFAIL) */
export const expiredCode = 75;
/** `timeout -s KILL` ended the command. */
export const killedCode = 137;

/** How long a far command may take before it is killed there, whatever became of us. */
const writeSeconds = 10;

export class Shell {
  readonly #prefix: readonly string[];

  constructor(env: Readonly<Record<string, string>>) {
    for (const name of Object.keys(env))
      if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
        throw new PortError(
          'invalid',
          'slurm',
          `${JSON.stringify(name)} cannot name an environment variable`,
        );
    const own = {
      ...env,
      // Epoch seconds wherever Slurm prints a time, English errors, and array expressions in full.
      SLURM_TIME_FORMAT: '%s',
      TZ: 'UTC',
      LC_ALL: 'C',
      SLURM_BITSTR_LEN: '0',
    };
    this.#prefix = ['env', ...Object.entries(own).map(([name, value]) => `${name}=${value}`)];
  }

  /** The far side ends it after `seconds`, so that commands that hang do not pile up there. */
  read(argv: readonly string[], seconds: number): string {
    return [...this.#prefix, 'timeout', '-s', 'KILL', `${seconds}`, ...argv].map(quote).join(' ');
  }

  /** Not begun after `deadline` by the far side's clock, and over at most 10 s later. */
  write(argv: readonly string[], deadline: Instant): string {
    const command = this.read(argv, writeSeconds);
    const script = `[ "$(date +%s)" -lt ${Math.floor(deadline / 1000)} ] || exit ${expiredCode}; exec ${command}`;
    return `exec sh -c ${quote(script)}`;
  }
}
