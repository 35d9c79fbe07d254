/** `squeue` as people type it: the table that it prints where no format is asked for. */
import type { SlurmRow } from '../../src/sim/models/slurm.ts';
import { longTime } from '../../src/sim/models/slurm-show.ts';

const short: Readonly<Record<string, string>> = {
  ...{ PENDING: 'PD', RUNNING: 'R', COMPLETING: 'CG', COMPLETED: 'CD', CANCELLED: 'CA' },
  ...{ FAILED: 'F', TIMEOUT: 'TO', NODE_FAIL: 'NF', OUT_OF_MEMORY: 'OOM' },
};

/** Slurm's own default: `%.18i %.9P %.8j %.8u %.2t %.10M %.6D %R`. */
const widths = [18, 9, 8, 8, 2, 10, 6];
const head = ['JOBID', 'PARTITION', 'NAME', 'USER', 'ST', 'TIME', 'NODES', 'NODELIST(REASON)'];

export function queueTable(rows: readonly SlurmRow[], now: number): string {
  return [head, ...[...rows].sort(inOrder).map((row) => cellsOf(row, now))].map(line).join('');
}

/** Its default sort, `P,t,-p`: by partition, waiting before running, the highest priority first. */
const inOrder = ({ view: a }: SlurmRow, { view: b }: SlurmRow): number =>
  a.partition.localeCompare(b.partition) ||
  Number(b.state === 'PENDING') - Number(a.state === 'PENDING') ||
  b.priority - a.priority;

const line = (cells: readonly string[]): string =>
  `${cells.map((cell, i) => column(cell, widths[i])).join(' ')}\n`;

const column = (cell: string, width: number | undefined): string =>
  width === undefined ? cell : cell.slice(0, width).padStart(width);

function cellsOf({ job, view }: SlurmRow, now: number): readonly string[] {
  const array = job.array?.jobId;
  // Tasks that wait are one line: 7_[3-9].
  const tasks =
    view.arrayTask !== undefined && /^\d+$/.test(view.arrayTask) ? view.arrayTask : `[${view.arrayTask}]`;
  const ran = view.state === 'PENDING' || view.startAt === undefined ? 0 : (view.endAt ?? now) - view.startAt;
  const since = Math.max(0, Math.min(ran, now - (view.startAt ?? now)));
  return [
    array === undefined || view.arrayTask === undefined ? `${view.id}` : `${array}_${tasks}`,
    ...[view.partition, view.name, view.user, short[view.state] ?? view.state],
    longTime(since).replace(/^00:0?/, ''),
    `${view.minNodes}`,
    view.state === 'PENDING' ? `(${view.reason})` : view.nodeList,
  ];
}
