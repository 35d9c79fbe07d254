/** slurmdbd's word on a job: one row for each of its runs. */
import { type Instant, type JobRef, jobRef } from '../../src/domain/ids.ts';
import type { AccountedJob, EndedRun, History } from '../../src/domain/job.ts';
import { stateOf } from './squeue.ts';
import { excerpt } from './table.ts';
import {
  count,
  duration,
  epoch,
  epochRequired,
  integer,
  mebibytes,
  remembering,
  tres,
  Unreadable,
  word,
} from './time.ts';

/** The first and the last cannot hold a newline, so rows end where they seem to. */
const fields = [
  'JobID',
  'JobIDRaw',
  'State',
  'Partition',
  'Submit',
  'Start',
  'End',
  'ExitCode',
  'AdminComment',
  'NodeList',
] as const;

/** `-D`: earlier runs of a requeued job too. Without `-S` all times count when a job is named. */
export function sacctArgs(ref: string, mark: string): readonly string[] {
  return ['sacct', '-X', '-D', '-P', '-n', `--delimiter=${mark}`, '-j', ref, '-o', fields.join(',')];
}

/** Oldest first. Throws Unreadable: a run that cannot be read is not a run that never was. */
export function readRuns(output: string, mark: string, ref: JobRef): readonly AccountedJob[] {
  return rowsOf(output, mark, fields.length)
    .filter(([id = '', rawId = '']) => id === ref || (rawId === ref && !ref.includes('_')))
    .map(runOf)
    .sort((a, b) => a.submitAt - b.submitAt || (a.startAt ?? 0) - (b.startAt ?? 0));
}

export function rowsOf(output: string, mark: string, columns: number): readonly (readonly string[])[] {
  const rows: string[][] = [];
  const parts = output.split(mark);
  const width = columns - 1;
  let first = parts[0] ?? '';
  for (let at = 0; at + width < parts.length; at += width) {
    const last = parts[at + width] ?? '';
    const end = last.indexOf('\n');
    const row = [first, ...parts.slice(at + 1, at + width), end < 0 ? last : last.slice(0, end)];
    first = end < 0 ? '' : last.slice(end + 1);
    rows.push(row);
  }
  if (output.trim() !== '' && (parts.length - 1) % width !== 0)
    throw new Unreadable('the answer of sacct', output);
  return rows;
}

/** The first and the last cannot hold a newline. */
const endedFields = [
  'JobID',
  'User',
  'Account',
  'State',
  'Partition',
  'Submit',
  'Start',
  'End',
  'Timelimit',
  'AllocCPUS',
  'NNodes',
  'Priority',
  'AllocTRES',
  'NodeList',
] as const;
const endedStates = 'BF,CA,CD,DL,F,NF,OOM,PR,RQ,RV,TO';

/** As sacct takes a time; the far side's zone is UTC by our own word. Rounded away from the span, which is cut again when read. */
export const moment = (ms: number): string => new Date(ms).toISOString().slice(0, 19);

export function historyArgs(from: Instant, to: Instant, mark: string): readonly string[] {
  return [
    ...['sacct', '-a', '-X', '-D', '-P', '-n', `--delimiter=${mark}`, '-s', endedStates],
    ...['-S', moment(from), '-E', moment(to + 999), '-o', endedFields.join(',')],
  ];
}

/** Throws Unreadable for an answer that is no table. */
export function readEnded(output: string, mark: string, from: Instant, to: Instant): History {
  const runs: EndedRun[] = [];
  const partial: string[] = [];
  for (const row of rowsOf(output, mark, endedFields.length))
    try {
      const run = endedOf(row);
      if (run !== undefined && run.endAt >= from && run.endAt < to) runs.push(run);
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error;
      partial.push(`sacct: job ${excerpt(row[0] ?? '')}: ${error.message}`);
    }
  return { runs, partial };
}

/** Undefined: it never ran, or slurmdbd does not know yet how it ended. */
function endedOf(row: readonly string[]): EndedRun | undefined {
  const [id = '', user = '', account = '', state = '', partition = '', submit = '', start = '', end = ''] =
    row;
  const [limit = '', cpus = '', nodes = '', priority = '', allocated = '', nodeList = ''] = row.slice(8);
  const [startAt, endAt] = [epoch(start, 'Start'), epoch(end, 'End')];
  // One that was cancelled while it waited has a start all the same: its end.
  if (startAt === undefined || endAt === undefined || nodeList === 'None assigned') return undefined;
  return {
    ref: jobRef(id),
    user,
    account: word(account),
    partition,
    state: stateOf(state),
    submitAt: epochRequired(submit, 'Submit'),
    startAt,
    endAt,
    timeLimitMs: word(limit) === '' ? 'partition' : duration(limit, 'Timelimit'),
    cpus: count(cpus, 'AllocCPUS'),
    nodes: count(nodes, 'NNodes'),
    priority: word(priority) === '' ? undefined : integer(priority, 'Priority'),
    ...allocatedOf(allocated, 'AllocTRES'),
  };
}

const ofGres = /^gres\/([^:]+)(:.+)?$/;

type Allocated = Pick<EndedRun, 'memoryMib' | 'gres'>;

/** `billing=4,cpu=4,gres/gpu=2,gres/gpu:a100=2,mem=8G,node=1`. A site may have the types noted, the name alone, or both. */
const allocatedOf = remembering((text: string, what: string): Allocated => {
  const all = tres(text);
  const mem = all.get('mem');
  const gres = new Map<string, number>();
  for (const [key, amount] of all) {
    const [, name, type] = ofGres.exec(key) ?? [];
    if (name === undefined || type === undefined) continue;
    const many = count(amount, what);
    gres.set(`${name}${type}`, many);
    gres.set(name, (gres.get(name) ?? 0) + many);
  }
  for (const [key, amount] of all) {
    const [, name, type] = ofGres.exec(key) ?? [];
    if (name !== undefined && type === undefined) gres.set(name, count(amount, what));
  }
  return { memoryMib: mem === undefined ? undefined : mebibytes(mem, what), gres };
});

function runOf(row: readonly string[]): AccountedJob {
  const [id = '', rawId = '', state = '', partition = '', submit = '', start = '', end = '', exit = ''] = row;
  const [adminComment = '', nodeList = ''] = row.slice(8);
  const [, code, signal] = /^(\d+):(\d+)$/.exec(exit) ?? [];
  if (code === undefined || signal === undefined) throw new Unreadable('ExitCode', exit);
  return {
    ref: jobRef(id),
    id: integer(rawId, 'JobIDRaw'),
    state: stateOf(state),
    partition,
    submitAt: epochRequired(submit, 'Submit'),
    startAt: epoch(start, 'Start'),
    endAt: epoch(end, 'End'),
    exit: { code: Number(code), signal: Number(signal) },
    nodeList: nodeList === 'None assigned' ? '' : word(nodeList),
    // sacct has no such field before 23.11.
    restarts: undefined,
    adminComment: word(adminComment),
  };
}
