/** slurmdbd's word on one person's jobs: the last run of each. */
import { type Instant, type JobRef, jobRef } from '../../src/domain/ids.ts';
import type { JobRecord } from '../../src/domain/submit.ts';
import { moment, rowsOf } from './sacct.ts';
import { stateOf } from './squeue.ts';
import { count, duration, epoch, epochRequired, integer, Unreadable, word } from './time.ts';

/** The first and the last cannot hold a newline, so rows end where they seem to. */
const fields = [
  'JobID',
  'JobIDRaw',
  'JobName',
  'WorkDir',
  'User',
  'Account',
  'State',
  'Partition',
  'Submit',
  'Start',
  'End',
  'Timelimit',
  'ExitCode',
  'NNodes',
  'NodeList',
] as const;

export function recordArgs(
  user: string | undefined,
  of: JobRef | { readonly since: Instant },
  mark: string,
): readonly string[] {
  return [
    ...['sacct', '-X', '-P', '-n', `--delimiter=${mark}`],
    ...(user === undefined ? ['-a'] : ['-u', user]),
    ...(typeof of === 'string' ? ['-j', of] : ['-S', moment(of.since), '-E', 'now']),
    ...['-o', fields.join(',')],
  ];
}

/** Newest first. A row that cannot be read is left out of a list, so that it keeps nobody from the others; of one job it throws Unreadable. */
export const readRecords = (output: string, mark: string, list: boolean): readonly JobRecord[] =>
  rowsOf(output, mark, fields.length)
    .flatMap((row) => {
      try {
        return [recordOf(row)];
      } catch (error) {
        if (list && error instanceof Unreadable) return [];
        throw error;
      }
    })
    .sort((a, b) => b.submitAt - a.submitAt || b.id - a.id);

function recordOf(row: readonly string[]): JobRecord {
  const [id = '', rawId = '', name = '', workDir = '', user = '', account = '', state = '', partition = ''] =
    row;
  const [submit = '', start = '', end = '', limit = '', exit = '', nodes = '', nodeList = ''] = row.slice(8);
  const [, code, signal] = /^(\d+):(\d+)$/.exec(exit) ?? [];
  if (code === undefined || signal === undefined) throw new Unreadable('ExitCode', exit);
  return {
    ref: jobRef(id),
    id: integer(rawId, 'JobIDRaw'),
    ...{ name, workDir, user, account: word(account), partition, state: stateOf(state) },
    submitAt: epochRequired(submit, 'Submit'),
    startAt: epoch(start, 'Start'),
    endAt: epoch(end, 'End'),
    timeLimitMs: word(limit) === '' ? 'partition' : duration(limit, 'Timelimit'),
    exit: { code: Number(code), signal: Number(signal) },
    nodes: count(nodes, 'NNodes'),
    nodeList: nodeList === 'None assigned' ? '' : word(nodeList),
  };
}
