/** One option of sbatch, and what becomes of it in the cloud. */
import type { JobDetail } from '../../domain/job.ts';

/**
 * `exact`: it means in the cloud what it means on-prem. `emulated`: the job runs and its results are the same; how, or how fast, may
 * differ, and `why` says in what. `unsupported`: it would be broken or dropped, so a job that uses it stays.
 */
export const marks = ['exact', 'emulated', 'unsupported'] as const;
export type Mark = (typeof marks)[number];

export interface Meaning {
  readonly mark: Mark;
  readonly why: string;
  /** What to write in its place; of every `unsupported`. */
  readonly instead?: string | undefined;
  /** The code or the test that makes it so; of every `exact` and `emulated`. */
  readonly by?: string | undefined;
}

/** A value of the option that means something else than the rest. */
export interface Case extends Meaning {
  /** In words, for the table. */
  readonly of: string;
  /** `nodes`: of the job. */
  holds(value: string, nodes: number): boolean;
  /** True: Slurm's record shows such a value as it shows another one, so only the script tells. */
  readonly unseen?: true | undefined;
}

/** What is read of a job: as the adapter has it from `squeue` and `scontrol show job`. */
export type JobShown = Pick<
  JobDetail,
  | 'raw'
  | 'cpus'
  | 'minNodes'
  | 'maxNodes'
  | 'tasks'
  | 'hetJob'
  | 'features'
  | 'licenses'
  | 'reservation'
  | 'requiredNodes'
  | 'gres'
>;

export interface Directive extends Meaning {
  /** As in sbatch(1). */
  readonly usage: string;
  readonly name: string;
  readonly short: string | undefined;
  readonly takes: 'nothing' | 'value' | 'maybe';
  /** The first Slurm that has it, and the last; undefined: before 22.05, and still. */
  readonly since?: string | undefined;
  readonly until?: string | undefined;
  /** Other names that sbatch takes for it. */
  readonly same: readonly string[];
  readonly cases: readonly Case[];
  /** What the job's record shows of it; undefined: it is not used. Absent where Slurm shows nothing of it. */
  readonly shown?: ((job: JobShown) => string | undefined) | undefined;
  /** The option whose place in the record it shares: what is shown is marked by that one. */
  readonly shownBy?: string | undefined;
}

type More = Partial<Pick<Directive, 'since' | 'until' | 'same' | 'cases' | 'shown' | 'shownBy'>>;

/** `-A, --account=<account>`, `--nice[=adjustment]`, `--contiguous`. */
const form = /^(?:-([A-Za-z]), )?--([a-z][a-z-]*)(\[?=)?/;

function directive(usage: string, meaning: Meaning, more: More): Directive {
  const [, short, name, equals] = form.exec(usage) ?? [];
  if (name === undefined) throw new Error(`not an option as sbatch(1) writes it: ${usage}`);
  const takes = equals === undefined ? 'nothing' : equals === '=' ? 'value' : 'maybe';
  return { usage, name, short, takes, same: [], cases: [], ...meaning, ...more };
}

export const exact = (usage: string, why: string, by: string, more: More = {}): Directive =>
  directive(usage, { mark: 'exact', why, by }, more);
export const emulated = (usage: string, why: string, by: string, more: More = {}): Directive =>
  directive(usage, { mark: 'emulated', why, by }, more);
export const unsupported = (usage: string, why: string, instead: string, more: More = {}): Directive =>
  directive(usage, { mark: 'unsupported', why, instead }, more);

/** The claim changes partition, time limit, memory and node count; all else of a job stays Slurm's own. */
export const slurms = 'adapters/slurm/move.ts';

/** How Slurm writes that there is none. */
const none = new Set(['', '(null)', 'N/A', 'None', 'NONE', '*', '0', 'no', 'No', '00:00:00']);

/** A key of `scontrol show job`, where it says something. */
export const key =
  (name: string) =>
  ({ raw }: JobShown): string | undefined =>
    said(raw[name]);

export const said = (value: string | undefined): string | undefined =>
  value === undefined || none.has(value) ? undefined : value;

/** The nth of a value with colons, such as `ReqB:S:C:T=0:2:*:1`. */
export const part =
  (name: string, at: number) =>
  ({ raw }: JobShown): string | undefined =>
    said(raw[name]?.split(':')[at]);

/** Slurm prints these flags on one line with commas: the first is a key, the others are in its value. */
const flagKeys = [
  'GresAllowTaskSharing',
  'GresEnforceBind',
  'GresOneTaskPerSharing',
  'KillOInInvalidDependent',
  'SpreadJob',
];

export const flag =
  (name: string) =>
  ({ raw }: JobShown): string | undefined =>
    flagKeys
      .filter((k) => raw[k] !== undefined)
      .flatMap((k) => `${k}=${raw[k]}`.split(','))
      .find((text) => text.startsWith(name));
