/** slurmdbd's word on a job: one row for each of its runs. */
import { type JobRef, jobRef } from '../../src/domain/ids.ts';
import type { AccountedJob } from '../../src/domain/job.ts';
import { stateOf } from './squeue.ts';
import { epoch, epochRequired, integer, Unreadable, word } from './time.ts';

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
  const runs: AccountedJob[] = [];
  const parts = output.split(mark);
  const width = fields.length - 1;
  let first = parts[0] ?? '';
  for (let at = 0; at + width < parts.length; at += width) {
    const last = parts[at + width] ?? '';
    const end = last.indexOf('\n');
    const row = [first, ...parts.slice(at + 1, at + width), end < 0 ? last : last.slice(0, end)];
    first = end < 0 ? '' : last.slice(end + 1);
    const [id = '', rawId = ''] = row;
    if (id === ref || (rawId === ref && !ref.includes('_'))) runs.push(runOf(row));
  }
  if (output.trim() !== '' && (parts.length - 1) % width !== 0)
    throw new Unreadable('the answer of sacct', output);
  return runs.sort((a, b) => a.submitAt - b.submitAt || (a.startAt ?? 0) - (b.startAt ?? 0));
}

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
