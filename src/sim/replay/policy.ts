/** What a replay asks: who goes to the cloud, and when. */
import type { Backfill } from '../../decide/backfill.ts';
import type { Predictor } from '../../decide/predict.ts';
import type { TraceJob } from '../trace/job.ts';
import type { CloudRun } from './spot.ts';

/** What a scheduler knows of the jobs of a trace when they come, as columns by index. */
export interface Known {
  readonly jobs: readonly Omit<TraceJob, 'runMs'>[];
  readonly submitMs: Float64Array;
  readonly limitMs: Float64Array;
  readonly processors: Int32Array;
  /** Place in the queue, least first, where priorities are known; else in the order of submission. */
  readonly rank?: Float64Array;
}

/** What only the trace knows, and a policy that is called clairvoyant. */
export interface Columns extends Known {
  readonly jobs: readonly TraceJob[];
  readonly runMs: Float64Array;
}

/** The site as it stands; what waits and runs is read from the machine. */
export interface Sight {
  readonly nowMs: number;
  readonly processors: number;
  readonly machine: Pick<Backfill, 'at' | 'runningAt' | 'length' | 'running' | 'free'>;
  /** When each started here; undefined as NaN. */
  readonly startedMs: Float64Array;
  /** When each was sent to the cloud; undefined as NaN, also of one that started here before it was claimed. */
  readonly burstMs: Float64Array;
  /** The runs of those that went on spot; of those that are away a policy must not look at what is still to come. */
  readonly spotRuns: ReadonlyMap<number, readonly CloudRun[]>;
  /** When each was over, wherever it ran; undefined as NaN. */
  readonly endedMs: Float64Array;
  /** Those that are in the cloud, or on their way there, those that are not claimed yet included, in the order in which they went. */
  readonly away: ReadonlySet<number>;
  /** Has learned from every job that has ended, here and in the cloud, and from no other. */
  readonly learned: Predictor;
}

/** Made anew for each run: it may keep what it saw. */
export interface Policy {
  /** Asked once, when a job comes to a queue or to a machine too full for it: how long it may wait before it bursts. Infinite: by this rule never. */
  patienceMs?(job: number, sight: Sight): number;
  /** Asked after a change while somebody waits, but no more often than the site's tick: who of them goes now, most urgent first. A rule by waiting alone has patience. */
  chosen?(sight: Sight): readonly number[];
  /** `late`: who goes stays in the queue until the cloud is ready, and stays for good if it starts here before; else it is gone at once. */
  readonly claims?: 'late' | undefined;
  /** Whether one that goes is bought spot, where there is any; left out: it is. */
  onSpot?(job: number): boolean;
  /** Its answer changes with the time alone: it is asked at each tick while somebody waits, also where nothing changed. */
  readonly byTime?: boolean;
}

export function columnsOf(jobs: readonly TraceJob[]): Columns {
  return {
    jobs,
    submitMs: Float64Array.from(jobs, (j) => j.submitMs),
    limitMs: Float64Array.from(jobs, (j) => j.requestMs),
    runMs: Float64Array.from(jobs, (j) => j.runMs),
    processors: Int32Array.from(jobs, (j) => j.processors),
    ...(jobs.some((j) => j.priority !== undefined)
      ? { rank: Float64Array.from(jobs, (j) => -(j.priority ?? 0)) }
      : {}),
  };
}
