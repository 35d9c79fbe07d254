/** What of a job means in the cloud what it means on-prem, by what Slurm tells of the job; of what it does not tell, by the script [script/marks.ts]. */
import type { Directive, JobShown, Mark } from './directives/index.ts';
import { directives, meaningOf } from './directives/index.ts';

export interface Marked {
  /** An option of sbatch, as `--gres`, or a kind of job that no option makes. */
  readonly directive: string;
  /** As Slurm shows it, or as it was written; empty where the option takes none. */
  readonly value: string;
  readonly mark: Mark;
  readonly why: string;
  /** What to write in its place, of what is unsupported. */
  readonly instead: string | undefined;
}

/** Undefined: `scontrol show job` could not be read beside `squeue`, so what the job asks for is not known, and must not be guessed. */
export function marksOf(job: JobShown): readonly Marked[] | undefined {
  if (job.raw.JobId === undefined) return undefined;
  return [...kinds(job), ...directives.flatMap((d) => shown(d, d.shown?.(job), job.minNodes))];
}

export function markOf(directive: Directive, value: string, nodes: number): Marked {
  const { mark, why, instead } = meaningOf(directive, value, nodes);
  return { directive: `--${directive.name}`, value, mark, why, instead };
}

const shown = (directive: Directive, value: string | undefined, nodes: number): Marked[] =>
  value === undefined ? [] : [markOf(directive, value, nodes)];

export const hetJob: Marked = {
  directive: 'hetjob',
  value: '',
  mark: 'unsupported',
  why: 'the components of a heterogeneous job start together or not at all',
  instead: 'submit one job',
};

/** What no option of sbatch says. */
function kinds({ raw, hetJob: het }: JobShown): readonly Marked[] {
  const cron = raw.CronJob === 'Yes' || raw.CrontabSpec !== undefined;
  return [
    ...(het ? [hetJob] : []),
    ...(cron
      ? [
          {
            directive: 'scrontab',
            value: '',
            mark: 'unsupported' as const,
            why: 'Slurm lets nobody change a job of scrontab, so it cannot be moved',
            instead: 'let the scrontab job submit another one with sbatch',
          },
        ]
      : []),
  ];
}

/** Those that the site's threshold does not let through. */
export function failing(marked: readonly Marked[], threshold: 'exact' | 'emulated'): readonly Marked[] {
  return marked.filter(
    ({ mark }) => mark === 'unsupported' || (mark === 'emulated' && threshold === 'exact'),
  );
}

/** No receipt grows by what a user writes. */
const mostShown = 200;

export const inWords = ({ directive, value }: Pick<Marked, 'directive' | 'value'>): string => {
  const whole = value === '' ? directive : `${directive}=${value}`;
  return whole.length > mostShown ? `${whole.slice(0, mostShown)}…` : whole;
};
