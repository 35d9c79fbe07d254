/** A job that a user submits through this gateway, what he orders of it, and what Slurm keeps of his jobs for him. */
import type { Instant, JobRef, Uuid } from './ids.ts';
import type { ExitCode, SeenState } from './job.ts';

/** What sbatch is told beside the script; what is left out, the script's own #SBATCH lines say. */
export interface SubmitOrder {
  /** The script's text, or where the cluster has it. */
  readonly script: { readonly text: string } | { readonly path: string };
  readonly workDir: string;
  readonly name: string | undefined;
  readonly account: string | undefined;
  readonly partition: string | undefined;
  readonly reservation: string | undefined;
  readonly constraints: string | undefined;
  readonly stdin: string | undefined;
  readonly stdout: string | undefined;
  readonly stderr: string | undefined;
  /** Beside what a login of the user has. */
  readonly env: Readonly<Record<string, string>>;
}

const keyLine = '#SPILLWAY key=';

/** Interpreters to which what is behind # is nothing; to another, such as node, a line of ours would be an error. */
const hashed =
  /^(sh|bash|dash|ash|ksh|mksh|zsh|csh|tcsh|fish|python|pypy|perl|ruby|Rscript|julia|octave|tclsh|expect|awk|gawk|make|gnuplot)[\d.]*$/;

/** Whether a key can stand in it: only in a text that is sent from here, in a language that knows such a comment. */
export function takesKey(script: SubmitOrder['script']): script is { readonly text: string } {
  if (!('text' in script)) return false;
  const [first = ''] = script.text.split('\n', 1);
  const words = first.replace(/^#!/, '').trim().split(/\s+/);
  const of = (word: string): string => word.split('/').at(-1) ?? '';
  const [name = ''] = words.map(of).filter((word) => word !== 'env' && !/^-|=/.test(word));
  return hashed.test(name);
}

/** A comment behind the script's last line: by it the job is found again when sbatch's answer was lost. */
export const withKey = (text: string, key: Uuid): string =>
  `${text}${text.endsWith('\n') ? '' : '\n'}${keyLine}${key}\n`;

export const hasKey = (text: string, key: Uuid): boolean => text.trimEnd().endsWith(`${keyLine}${key}`);

/** Slurm's own limit, max_script_size. [slurm.conf(5), SchedulerParameters] */
export const scriptAtMost = 4 * 2 ** 20;

/** What he may order of a job of his in Slurm, besides submitting and cancelling it. */
export const orderedOfJobs = ['hold', 'release'] as const;
export type OrderedOfJob = (typeof orderedOfJobs)[number];

/** One run of a job, as slurmdbd keeps it. */
export interface JobRecord {
  readonly ref: JobRef;
  readonly id: number;
  readonly name: string;
  readonly user: string;
  readonly account: string;
  readonly partition: string;
  readonly state: SeenState;
  readonly submitAt: Instant;
  readonly startAt: Instant | undefined;
  readonly endAt: Instant | undefined;
  readonly timeLimitMs: number | 'unlimited' | 'partition';
  readonly exit: ExitCode;
  readonly nodes: number;
  readonly nodeList: string;
  readonly workDir: string;
}

/** As the cluster's login node and Slurm know a user. */
export interface UserInfo {
  readonly uid: number;
  readonly groups: readonly { readonly gid: number; readonly name: string }[];
  /** His own in front. */
  readonly gid: number;
  readonly accounts: readonly { readonly name: string; readonly isDefault: boolean }[];
}
