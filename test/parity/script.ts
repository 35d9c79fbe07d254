/**
 * A job of the parity run: an ordinary job script. Lines `#PARITY WORD …` in it say how it is submitted and what its owner does
 * meanwhile; a script without any is submitted as it stands.
 */

/** What its owner does, as a shell command in the job's directory; `$JOB` is the job's id. */
export type Hook =
  | { readonly when: 'before' | 'submitted' | 'running' | 'ended'; readonly run: string }
  /** When this line stands in the job's standard output. */
  | { readonly when: 'line'; readonly line: string; readonly run: string };

export const dependencies = ['after', 'afterok', 'afternotok', 'afterany', 'aftercorr'] as const;

/** `srun` in the path; `names` for its user and groups. */
export const needs = ['srun', 'names'] as const;
export type Need = (typeof needs)[number];

export interface JobScript {
  readonly name: string;
  readonly text: string;
  readonly user: 'alice' | 'bob';
  /** Options of sbatch beside those in the script, as in a shell. */
  readonly options: string;
  /** The script's arguments, as in a shell. */
  readonly args: string;
  /** NAME=VALUE… in front of sbatch, as in a shell. */
  readonly env: string;
  /** What stands after the header is one command for --wrap. */
  readonly wrap: boolean;
  readonly hooks: readonly Hook[];
  /** The job of this name on the other side: what is on-prem waits for what bursts, and the other way round. */
  readonly dependsOn: { readonly kind: (typeof dependencies)[number]; readonly job: string } | undefined;
  /** What the pod must have beside its image. */
  readonly needs: Need | undefined;
  /** Names of documented differences that this script is here to show; one that does not show is an error. */
  readonly differs: readonly string[];
  /** Which lines of its outputs those are. With none, any difference of any output passes for them. */
  readonly lines: readonly RegExp[];
}

type Draft = { -readonly [K in keyof JobScript]: JobScript[K] };

/** Throws where a `#PARITY` line is not understood: it says which, and what may be written. */
export function readJob(file: string, text: string): JobScript {
  const job: Draft = {
    name: (file.split('/').at(-1) ?? file).replace(/\.[^.]*$/, ''),
    text,
    user: 'alice',
    options: '',
    args: '',
    env: '',
    wrap: false,
    hooks: [],
    dependsOn: undefined,
    needs: undefined,
    differs: [],
    lines: [],
  };
  text.split('\n').forEach((line, index) => {
    const [, word, rest = ''] = /^#PARITY\s+(\S+)\s*(.*)$/.exec(line) ?? [];
    if (word === undefined && !line.startsWith('#PARITY')) return;
    const set = words[word ?? ''];
    const fault = set === undefined ? `"${word ?? ''}" is none of ${known}` : set(job, rest.trim());
    if (fault !== undefined) throw new Error(`${file}:${index + 1}: ${fault}`);
  });
  return job;
}

const hook =
  (when: Exclude<Hook['when'], 'line'>) =>
  (job: Draft, run: string): string | undefined => {
    if (run === '') return `what is to be run, after "${when}"?`;
    job.hooks = [...job.hooks, { when, run }];
    return undefined;
  };

/** Each takes the rest of its line, and answers what is wrong with it. */
const words: Readonly<Record<string, (job: Draft, rest: string) => string | undefined>> = {
  user: (job, rest) => {
    if (rest !== 'alice' && rest !== 'bob') return `no user "${rest}" in the lab: write alice or bob`;
    job.user = rest;
    return undefined;
  },
  sbatch: (job, rest) => {
    job.options = `${job.options} ${rest}`.trim();
    return undefined;
  },
  args: (job, rest) => {
    job.args = `${job.args} ${rest}`.trim();
    return undefined;
  },
  env: (job, rest) => {
    job.env = `${job.env} ${rest}`.trim();
    return undefined;
  },
  wrap: (job) => {
    job.wrap = true;
    return undefined;
  },
  before: hook('before'),
  submitted: hook('submitted'),
  running: hook('running'),
  ended: hook('ended'),
  line: (job, rest) => {
    const [, line, run] = /^(\S+):\s+(.+)$/.exec(rest) ?? [];
    if (line === undefined || run === undefined) return 'write "line WORD: COMMAND"';
    job.hooks = [...job.hooks, { when: 'line', line, run }];
    return undefined;
  },
  depends: (job, rest) => {
    const [kind, on] = rest.split(/\s+/);
    const right = dependencies.find((d) => d === kind);
    if (right === undefined || on === undefined)
      return `write "depends KIND JOB", KIND one of ${dependencies.join(', ')}`;
    job.dependsOn = { kind: right, job: on };
    return undefined;
  },
  needs: (job, rest) => {
    const need = needs.find((n) => n === rest);
    if (need === undefined) return `"${rest}" is nothing that a pod may lack: write ${needs.join(' or ')}`;
    job.needs = need;
    return undefined;
  },
  differs: (job, rest) => {
    job.differs = [...job.differs, ...rest.split(/[\s,]+/).filter((name) => name !== '')];
    return undefined;
  },
  lines: (job, rest) => {
    if (rest === '') return 'which lines? write a regular expression';
    try {
      job.lines = [...job.lines, new RegExp(rest)];
    } catch (e) {
      return (e as Error).message;
    }
    return undefined;
  },
};

const known = Object.keys(words).join(', ');

/** What is given to `sbatch --wrap`: the script without its first line and header. */
export function wrapped(job: JobScript): string {
  return job.text
    .split('\n')
    .filter((line) => !/^#(!|PARITY\b)/.test(line))
    .join('\n')
    .trim();
}

/** What another waits for goes before it, and not long: Slurm forgets the record of an ended job after minutes, and what waits for that with it. */
export function inTurn(jobs: readonly JobScript[], after?: string): JobScript[] {
  const now = jobs.filter((job) => job.dependsOn?.job === after);
  return now.flatMap((job) => [job, ...inTurn(jobs, job.name)]);
}
