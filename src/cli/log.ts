/** A log of jobs, as replay and report take it. */
import { type Format, formats } from '../sim/trace/format.ts';
import { clean, type Trace, TraceError, type TraceJob } from '../sim/trace/job.ts';
import { readTrace } from '../sim/trace/read.ts';
import { CommandError } from './ask.ts';

export interface Dropped {
  readonly zeroRun: number;
  readonly oversized: number;
  readonly unfinished: number;
}

export interface ReadLog {
  readonly jobs: readonly TraceJob[];
  readonly processors: number;
  readonly dropped: Dropped;
  /** As what it was read. */
  readonly format: Format;
  readonly capped: number;
  /** What was left out, in words. */
  readonly left: string;
}

/** A log as a replay takes it: in order of submission, without what cannot be played. */
export async function readLog(
  path: string,
  procs: string | undefined,
  format: string | undefined,
): Promise<ReadLog> {
  const told = formats.find((f) => f === format);
  if (format !== undefined && told === undefined)
    throw new CommandError(`--format ${format}: write ${formats.join(' or ')}, or leave it out`);
  const read = await readTrace(path, told).catch((e: unknown) => {
    if (e instanceof TraceError)
      throw new CommandError(`${e.message}\nA trace is an SWF file or a dump of sacct, plain or gzipped.`);
    throw e;
  });
  const processors = processorsOf(path, read, procs);
  const { jobs, zeroRun, oversized, capped } = clean(read.jobs, processors);
  if (jobs.length === 0)
    throw new CommandError(
      `${path}: none of its ${read.jobs.length} jobs ran on ${processors} processors; write the site's size after --procs`,
    );
  const { unfinished } = read;
  const left = `${unfinished} that never ran, ${zeroRun} of no run time, ${oversized} larger than the machine; ${capped} cut at their time limit`;
  const dropped = { zeroRun, oversized, unfinished };
  return { jobs, processors, format: read.format, dropped, capped, left };
}

function processorsOf(path: string, trace: Trace, procs: string | undefined): number {
  const count = procs === undefined ? trace.header.maxProcs : Number(procs);
  if (count === undefined)
    throw new CommandError(`${path}: its header does not tell MaxProcs; write the site's size after --procs`);
  if (!Number.isInteger(count) || count < 1 || count >= 2 ** 31)
    throw new CommandError(`--procs ${procs ?? count}: no count of processors; write a whole number from 1`);
  return count;
}
