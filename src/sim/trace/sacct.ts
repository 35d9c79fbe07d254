/**
 * A month of a site's own accounting, as `sacct` prints it:
 *
 *     SLURM_TIME_FORMAT=%s sacct -a -X --parsable2 -S 2026-10-01 -E 2026-11-01 \
 *       -o JobID,Submit,Start,End,ElapsedRaw,TimelimitRaw,AllocCPUS,ReqCPUS,State,User,Account,Partition
 *
 * Columns are found by the header line, in any order, others beside them. Times may be seconds or ISO 8601 without a zone, which is then
 * taken for UTC: a replay needs distances only.
 */
import { sane, TraceError, type TraceJob } from './job.ts';
import type { LineReader } from './lines.ts';

const needed = ['JobID', 'Submit', 'State', 'User', 'Account', 'Partition'] as const;
const either = [
  ['ElapsedRaw', 'Elapsed'],
  ['TimelimitRaw', 'Timelimit'],
  ['AllocCPUS', 'ReqCPUS'],
] as const;

/** Of each state: did it run and end? Others than these are no states of Slurm. */
const ended: Readonly<Record<string, boolean>> = {
  BOOT_FAIL: true,
  CANCELLED: true,
  COMPLETED: true,
  DEADLINE: true,
  FAILED: true,
  NODE_FAIL: true,
  OUT_OF_MEMORY: true,
  PREEMPTED: true,
  REVOKED: true,
  REQUEUED: true,
  TIMEOUT: true,
  COMPLETING: false,
  CONFIGURING: false,
  PENDING: false,
  REQUEUE_HOLD: false,
  RESIZING: false,
  RUNNING: false,
  SIGNALING: false,
  SPECIAL_EXIT: false,
  STAGE_OUT: false,
  STOPPED: false,
  SUSPENDED: false,
};

export class SacctReader implements LineReader {
  readonly header = {};
  readonly jobs: TraceJob[] = [];
  unfinished = 0;
  readonly #name: string;
  #columns: ReadonlyMap<string, number> | undefined;
  #width = 0;

  constructor(name: string) {
    this.#name = name;
  }

  line(text: string, number: number): void {
    if (text === '') return;
    const where = `${this.#name}:${number}`;
    if (this.#columns === undefined) {
      this.#columns = columnsOf(text, where);
      this.#width = text.split('|').length;
      return;
    }
    const cells = text.split('|');
    if (cells.length !== this.#width)
      throw new TraceError(where, `${cells.length} columns, but the header line has ${this.#width}`);
    this.#row(cells, this.#columns, where);
  }

  end(): void {
    if (this.#columns === undefined) throw new TraceError(this.#name, 'empty: there is no header line');
  }

  #row(cells: readonly string[], columns: ReadonlyMap<string, number>, where: string): void {
    const cell = (name: string): string => cells[columns.get(name) ?? -1] ?? '';
    const id = cell('JobID');
    if (id.includes('.'))
      throw new TraceError(where, `JobID ${id} is a step; print jobs alone, with sacct -X`);
    if (!/^\d+([_+]\d+|_\[.*\])?$/.test(id)) throw new TraceError(where, `JobID ${id} is no job's id`);
    // "CANCELLED by 1000" says who; a job that is cut short by its column's width ends in +.
    const state = cell('State').split(' ')[0] ?? '';
    const over = Object.hasOwn(ended, state) ? ended[state] : undefined;
    if (over === undefined) throw new TraceError(where, `State ${state} is none that Slurm has`);
    const start = cell('Start');
    // A pending array is one line, `12_[3-9]`; what was cancelled while pending has no start.
    if (!over || /\[/.test(id) || start === 'Unknown' || start === 'None') {
      this.unfinished += 1;
      return;
    }
    const runMs = durationOf(cell('ElapsedRaw') || cell('Elapsed'), 1_000, where, 'ElapsedRaw') ?? 0;
    const limit = columns.has('TimelimitRaw') ? cell('TimelimitRaw') : cell('Timelimit');
    const requestMs = durationOf(limit, 60_000, where, 'TimelimitRaw');
    const processors = Number(cell('AllocCPUS')) || Number(cell('ReqCPUS'));
    if (!Number.isInteger(processors))
      throw new TraceError(where, `AllocCPUS ${cell('AllocCPUS')} is no number`);
    const job: TraceJob = {
      id,
      submitMs: momentOf(cell('Submit'), where),
      runMs,
      // A limit of nothing is none.
      requestMs: requestMs || runMs,
      processors,
      user: cell('User'),
      account: cell('Account'),
      partition: cell('Partition'),
    };
    this.jobs.push(sane(job, where));
  }
}

function columnsOf(text: string, where: string): ReadonlyMap<string, number> {
  const columns = new Map(text.split('|').map((name, i) => [name.trim(), i]));
  const missing = [
    ...needed.filter((n) => !columns.has(n)),
    ...either.filter((names) => !names.some((n) => columns.has(n))).map(([n]) => n),
  ];
  if (missing.length > 0)
    throw new TraceError(
      where,
      `the header line lacks ${missing.join(', ')}; print it with sacct -X --parsable2 -o JobID,Submit,Start,End,ElapsedRaw,TimelimitRaw,AllocCPUS,ReqCPUS,State,User,Account,Partition`,
    );
  return columns;
}

function momentOf(text: string, where: string): number {
  if (/^\d+$/.test(text)) return Number(text) * 1_000;
  const at = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/.test(text) ? Date.parse(`${text}Z`) : Number.NaN;
  if (Number.isNaN(at)) throw new TraceError(where, `Submit ${text} is no time`);
  return at;
}

/** `[days-]hours:minutes:seconds`, or a bare number of `unit`; undefined where there is no limit. */
function durationOf(text: string, unit: number, where: string, name: string): number | undefined {
  if (/^\d+$/.test(text)) return Number(text) * unit;
  if (/^(|UNLIMITED|Partition_Limit|INVALID)$/i.test(text)) return undefined;
  const [, days = '0', hours = '', minutes = '', seconds = ''] =
    /^(?:(\d+)-)?(\d+):(\d\d):(\d\d)$/.exec(text) ?? [];
  if (hours === '') throw new TraceError(where, `${name} ${text} is no duration`);
  return (((Number(days) * 24 + Number(hours)) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1_000;
}
