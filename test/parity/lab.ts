/** One run of a script on the lab: submitted as its owner would, and what it left behind. */
import {
  chownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { expandHosts, hostNameFor } from '../../src/translate/index.ts';
import { as, home, type Ran } from '../e2e/harness.ts';
import type { FileLeft, Left } from './compare.ts';
import { asked, type Own, withoutOwn } from './own.ts';
import { type JobScript, wrapped } from './script.ts';

export type Side = keyof typeof asked;
export const sides: readonly Side[] = ['onprem', 'burst'];

export interface Run {
  readonly job: JobScript;
  readonly side: Side;
  readonly dir: string;
  /** As sbatch said it; undefined where sbatch refused. */
  readonly id: string | undefined;
  /** What sbatch said, where it refused. */
  readonly refused: string;
}

export function directoryOf(job: JobScript, side: Side): string {
  // Of one length: what Slurm cuts off at so many bytes, it then cuts off alike.
  return `${home(job.user)}/parity/${job.name}/${side === 'onprem' ? 'onprem' : 'bursts'}`;
}

/** A directory of its own for each side, with nothing in it but the script. */
export function layOut(job: JobScript, side: Side): string {
  const dir = directoryOf(job, side);
  rmSync(dir, { recursive: true, force: true });
  const { uid, gid } = lstatSync(home(job.user));
  for (const made of [`${home(job.user)}/parity`, join(dir, '..'), dir]) {
    mkdirSync(made, { recursive: true });
    chownSync(made, uid, gid);
  }
  const script = join(dir, scriptName);
  writeFileSync(script, job.text, { mode: 0o755 });
  chownSync(script, uid, gid);
  return dir;
}

const scriptName = 'job.sh';

/** A shell command of its owner, in the job's directory. */
export const inShell = (
  job: JobScript,
  dir: string,
  command: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Ran> => as(job.user, ['sh', '-c', command], { cwd: dir, env });

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

export async function submit(job: JobScript, side: Side, dependency: string | undefined): Promise<Run> {
  const dir = layOut(job, side);
  for (const { when, run } of job.hooks)
    if (when === 'before') {
      const done = await inShell(job, dir, run);
      if (done.code !== 0) throw new Error(`${job.name}: before "${run}": ${done.stderr}`);
    }
  const options = [
    `--parsable -p ${asked[side]}`,
    ...(dependency === undefined ? [] : [`--dependency=${dependency}`]),
    job.options,
  ].join(' ');
  const what = job.wrap ? `--wrap ${quoted(wrapped(job))}` : `${scriptName} ${job.args}`;
  const done = await inShell(job, dir, `${job.env} sbatch ${options} ${what}`);
  const id = /^(\d+)/.exec(done.stdout)?.[1];
  return { job, side, dir, id, refused: done.code === 0 ? '' : done.stderr.replaceAll(dir, '<dir>') };
}

// --- what is left --------------------------------------------------------------------------------------------------

/** Compared line by line. Absent are what is a run's own (times, node names, priority, what it waited for) and what is measured (MaxRSS, CPU time). */
const accounted = [
  ...['JobID', 'JobName', 'User', 'Group', 'Account', 'QOS', 'State', 'ExitCode', 'DerivedExitCode'],
  ...['ReqTRES', 'AllocTRES', 'ReqMem', 'ReqCPUS', 'AllocCPUS', 'NCPUS', 'NNodes', 'AllocNodes', 'NTasks'],
  ...['Timelimit', 'Comment', 'Constraints', 'WorkDir'],
] as const;

/** Of `scontrol show job`: what is of this run and no other. */
const runsOwn = new Set([
  ...['JobId', 'ArrayJobId', 'Priority', 'SubmitTime', 'EligibleTime', 'AccrueTime', 'StartTime', 'EndTime'],
  ...[
    'PreemptEligibleTime',
    'PreemptTime',
    'SuspendTime',
    'SecsPreSuspend',
    'LastSchedEval',
    'Scheduler',
    'RunTime',
  ],
  ...['AllocNode:Sid', 'BatchHost', 'NodeList', 'SchedNodeList', 'ReqNodeList', 'Deadline', 'Dependency'],
]);

export interface Accounted {
  readonly rows: readonly Readonly<Record<string, string>>[];
  /** Each task's raw id. */
  readonly ids: readonly string[];
  readonly nodes: readonly string[];
  readonly partitions: readonly string[];
  readonly elapsedSeconds: number;
}

/** Every run of the job and of its tasks, the requeued ones too, with their steps. */
export async function accountedOf(id: string): Promise<Accounted> {
  const columns = ['JobIDRaw', 'NodeList', 'Partition', 'ElapsedRaw', ...accounted];
  // A separator that no name or comment has.
  const done = await as('root', [
    ...['sacct', '-n', '-P', '--delimiter=\x1f', '-D', '-j', id, '-o', columns.join(',')],
  ]);
  const rows = done.stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const cells = line.split('\x1f');
      return Object.fromEntries(columns.map((name, i) => [name, cells[i] ?? '']));
    });
  const jobs = rows.filter((row) => !row.JobID?.includes('.'));
  const all = (name: string): string[] => [...new Set(rows.map((row) => row[name] ?? ''))];
  return {
    rows: rows.map((row) => Object.fromEntries(accounted.map((name) => [name, row[name] ?? '']))),
    ids: [...new Set([id, ...jobs.map((row) => row.JobIDRaw ?? '')])].filter((raw) => /^\d+$/.test(raw)),
    // None where it never ran, which sacct says in words.
    nodes: [
      ...new Set(
        all('NodeList')
          .filter((list) => /^[a-z]\S*$/.test(list))
          .flatMap(expandHosts),
      ),
    ],
    partitions: [...new Set(jobs.map((row) => row.Partition ?? ''))],
    elapsedSeconds: Math.max(0, ...jobs.map((row) => Number(row.ElapsedRaw ?? 0))),
  };
}

/** `scontrol show job` and `squeue`, a map for each task in the order of their numbers. */
async function recordOf(id: string): Promise<Record<string, string>[]> {
  const shown = await as('root', ['scontrol', '-o', 'show', 'job', id]);
  const queue = await as('root', [
    ...['squeue', '-h', '-a', '-r', '-t', 'all', '-j', id, '-o', '%K|%T|%r|%D|%C|%l|%m|%j|%u|%g|%a|%k'],
  ]);
  const byLine = (text: string): string[] => text.split('\n').filter((line) => line !== '');
  const jobs = byLine(shown.stdout).map((line) => {
    const found = line.matchAll(/(\S+?)=(.*?)(?= [A-Za-z][A-Za-z/:]*=| *$)/g);
    return Object.fromEntries([...found].map((m) => [m[1] ?? '', (m[2] ?? '').trim()]));
  });
  const task = (job: Record<string, string>): number => Number(job.ArrayTaskId ?? 0);
  const kept = jobs
    .sort((a, b) => task(a) - task(b))
    .map((job) => Object.fromEntries(Object.entries(job).filter(([name]) => !runsOwn.has(name))));
  return [
    ...kept,
    ...byLine(queue.stdout)
      .sort()
      .map((squeue) => ({ squeue })),
  ];
}

const kinds = [
  ['file', 'isFile'],
  ['directory', 'isDirectory'],
  ['link', 'isSymbolicLink'],
  ['fifo', 'isFIFO'],
] as const;

function fileAt(path: string): FileLeft {
  const s = lstatSync(path);
  const kind = kinds.find(([, is]) => s[is]())?.[0] ?? 'other';
  const content =
    kind === 'file' ? readFileSync(path) : Buffer.from(kind === 'link' ? readlinkSync(path) : '', 'latin1');
  return {
    kind,
    mode: (s.mode & 0o7777).toString(8).padStart(4, '0'),
    owner: `${s.uid}:${s.gid}`,
    links: kind === 'directory' ? 0 : s.nlink,
    content,
  };
}

/** All below it, and nothing behind a link: one may lead in a circle. */
function* namesIn(dir: string, at = ''): Generator<string> {
  for (const entry of readdirSync(join(dir, at), { withFileTypes: true })) {
    const name = join(at, entry.name);
    yield name;
    if (entry.isDirectory()) yield* namesIn(dir, name);
  }
}

function filesIn(dir: string, say: (text: string) => string): Map<string, FileLeft> {
  const found = new Map<string, FileLeft>();
  for (const name of namesIn(dir)) {
    if (name === scriptName) continue;
    const left = fileAt(join(dir, name));
    found.set(say(name), { ...left, content: Buffer.from(say(left.content.toString('latin1')), 'latin1') });
  }
  return found;
}

/** All that is left of an ended run, without what is its own. `hosts` are names of the machines of the cloud. */
export async function leftOf(
  run: Run,
  hosts: readonly string[],
): Promise<{ left: Left; accounted: Accounted }> {
  const { id = '', dir } = run;
  const seen = await accountedOf(id);
  const own: Own = {
    dir,
    // Of an array one task keeps the array's own id; which one is the order in which they were parted.
    ids: new Map(seen.ids.map((raw) => [raw, '<job>'])),
    nodes: [...new Set([...seen.nodes, ...hosts.map(hostNameFor), hostname()])],
  };
  const say = withoutOwn(own);
  const told = (row: Readonly<Record<string, string>>): Record<string, string> =>
    Object.fromEntries(Object.entries(row).map(([name, value]) => [name, say(value)]));
  const left = {
    accounting: seen.rows.map(told).sort((a, b) => ((a.JobID ?? '') < (b.JobID ?? '') ? -1 : 1)),
    record: (await recordOf(id)).map(told),
    files: filesIn(dir, say),
    elapsedSeconds: seen.elapsedSeconds,
  };
  return { left, accounted: seen };
}
