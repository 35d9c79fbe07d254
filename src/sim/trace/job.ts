import type { Format } from './format.ts';

/** One job of a site's history, whatever it was read from. */
export interface TraceJob {
  readonly id: string;
  /** Milliseconds since the epoch where the trace tells its start, else since that start. */
  readonly submitMs: number;
  readonly runMs: number;
  /** The time limit it asked for; its run time where it asked for none. */
  readonly requestMs: number;
  readonly processors: number;
  readonly user: string;
  /** Who pays: the Slurm account, the Unix group in SWF. */
  readonly account: string;
  readonly partition: string;
  /** The highest goes first; of one trace all have it, or none. */
  readonly priority?: number | undefined;
}

export interface TraceHeader {
  readonly maxProcs?: number;
  readonly maxNodes?: number;
  readonly unixStartTime?: number;
}

export interface Trace {
  readonly format: Format;
  readonly header: TraceHeader;
  readonly jobs: readonly TraceJob[];
  /** Lines that are no finished run: never started, still pending or running. */
  readonly unfinished: number;
}

/** `where` is file and line: what is wrong there is a person's to mend. */
export class TraceError extends Error {
  constructor(where: string, what: string) {
    super(`${where}: ${what}`);
    this.name = 'TraceError';
  }
}

const longestMs = 1e15;
const mostProcessors = 2 ** 31 - 1;

/** The job, if its numbers can be reckoned with: a log is any text, and one endless run would be waited for for ever. */
export function sane(job: TraceJob, where: string): TraceJob {
  for (const [name, ms] of [
    ['submit time', job.submitMs],
    ['run time', job.runMs],
    ['requested time', job.requestMs],
  ] as const)
    if (!(Math.abs(ms) <= longestMs)) throw new TraceError(where, `its ${name} is no time that a job has`);
  if (!Number.isInteger(job.processors) || job.processors > mostProcessors)
    throw new TraceError(where, `${job.processors} is no count of processors`);
  return job;
}

export interface Cleaned {
  /** In the order of their submission. */
  readonly jobs: readonly TraceJob[];
  readonly zeroRun: number;
  readonly oversized: number;
  /** Run time cut to the request: a site that lets jobs overrun would else break the machine's promise. */
  readonly capped: number;
}

/** What Gaussier et al. (SC15) drop and cut, so that figures can be held against theirs. */
export function clean(jobs: readonly TraceJob[], processors: number): Cleaned {
  let zeroRun = 0;
  let oversized = 0;
  let capped = 0;
  const kept: TraceJob[] = [];
  for (const job of jobs) {
    if (job.runMs <= 0) zeroRun += 1;
    else if (job.processors > processors || job.processors <= 0) oversized += 1;
    else if (job.runMs > job.requestMs) {
      capped += 1;
      kept.push({ ...job, runMs: job.requestMs });
    } else kept.push(job);
  }
  // Stable: jobs of one second stay in the trace's order.
  kept.sort((a, b) => a.submitMs - b.submitMs);
  return { jobs: kept, zeroRun, oversized, capped };
}
