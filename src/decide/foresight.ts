/**
 * What a cluster's queue will do, as far as its history tells: run times by what its users' jobs did, starts by playing the queue forward, and both
 * corrected by what came of earlier forecasts. It asks nobody: whoever has it tells it what ended and what the queue looks like.
 */
import { draws } from '../domain/draws.ts';
import type { ForecastError, StartRange } from '../domain/forecast.ts';
import type { Instant, JobRef } from '../domain/ids.ts';
import type { EndedRun, Job, Snapshot } from '../domain/job.ts';
import type { ForecastInput } from './backfill.ts';
import { Calibration } from './calibrate.ts';
import {
  type Forecaster,
  forecastStarts,
  learnedRunTimes,
  nameOf,
  type Starts,
  usualForecaster,
} from './forecast.ts';
import { type Pool, poolsOf } from './pools.ts';
import { type PredictJob, Predictor, remainingMs } from './predict.ts';
import { expectedStarts, usualExact, workOf } from './worth.ts';

export interface StartForecast {
  /** In ms from the look at the queue; infinite where it can never start. */
  readonly range: StartRange;
  /** Before it was corrected. */
  readonly raw: StartRange;
  /** How it was made. */
  readonly by: string;
}

/** One machine's queue by expected run times: who waits, in which order; in ms from the look. */
export interface ExpectedQueue {
  readonly processors: number;
  readonly waits: readonly Job[];
  /** Infinite for who can never start. */
  readonly startsInMs: Float64Array;
  /** Expected run time times processors. */
  readonly workMs: Float64Array;
}

/** A queue in which nobody came or went is not played again for so long; its forecasts only draw nearer. */
const freshMs = 5 * 60_000;
/** The same numbers for each look, so that a forecast changes because the queue did. */
const seed = 20_251;

/** A queue is played in one go, and each draw walks all that run: of a site with very many fewer draws are taken, so that nothing else waits for long. */
const runsDrawn = 200_000;
const fewestDraws = 8;
/** The same where one job more is played, of all that wait. */
const waitsDrawn = 1_000_000;

export function drawsFor(draws: number, running: number): number {
  return Math.min(draws, Math.max(fewestDraws, Math.floor(runsDrawn / Math.max(1, running))));
}

interface Played {
  readonly at: Instant;
  readonly key: string;
  readonly starts: Starts;
  readonly expected: ExpectedQueue;
  readonly pool: Pool;
  readonly by: Forecaster;
}

/** What was foreseen at one look. */
export type Foreseen = Pick<Foresight, 'of' | 'queues'>;

export class Foresight {
  readonly #forecaster: Forecaster;
  readonly #predictor: Predictor;
  #lookedAt: Instant | undefined;
  #calibration = new Calibration();
  #played: readonly Played[] = [];
  #forecasts = new Map<JobRef, StartForecast>();
  /** The first forecast of each that waits, held against its start. */
  #awaited = new Map<string, { readonly at: Instant; readonly raw: StartRange }>();
  #errors: ForecastError[] = [];

  /** `predictor`: one that learns elsewhere as well. */
  constructor(forecaster: Forecaster = usualForecaster, predictor = new Predictor()) {
    this.#forecaster = forecaster;
    this.#predictor = predictor;
  }

  /** How many runs it knows of. */
  get learned(): number {
    return this.#predictor.learned;
  }

  /** Runs that have ended, to be told once each. Who was cut off by the site, or had no limit, says nothing of how long such jobs run. */
  learn(runs: readonly EndedRun[]): void {
    const whole = runs.filter((r) => !cutOff.has(r.state)).sort((a, b) => a.endAt - b.endAt);
    for (const { user, cpus, timeLimitMs, startAt, endAt } of whole)
      if (typeof timeLimitMs === 'number')
        this.#predictor.learn(
          { user, processors: Math.max(1, cpus), requestMs: timeLimitMs },
          endAt - startAt,
        );
  }

  /** All errors that are on record, in the order in which they were found. */
  recall(errors: readonly ForecastError[]): void {
    this.#calibration = new Calibration();
    this.#note(errors);
  }

  #note(errors: readonly ForecastError[]): void {
    for (const { raw, actualMs } of errors) this.#calibration.learn(raw, actualMs);
  }

  /** What was found since it was last asked. */
  found(): readonly ForecastError[] {
    const errors = this.#errors;
    this.#errors = [];
    return errors;
  }

  /** The expected run time in ms. */
  expectedMs(job: PredictJob): number {
    return this.#predictor.expectedMs(job);
  }

  /** A look at the queue. `without`: the gateway's own partitions; `gone`: who is bound for the cloud already. */
  look(snapshot: Snapshot, without: readonly string[], gone: ReadonlySet<JobRef> = new Set()): void {
    const pools = poolsOf(snapshot, without, gone);
    this.#lookedAt = snapshot.at;
    this.#learnStarts(pools);
    // Where nobody waits there is nothing to foresee.
    this.#played = pools.flatMap((pool) => (pool.waits.length === 0 ? [] : [this.#play(pool, snapshot.at)]));
    const forecasts = new Map<JobRef, StartForecast>();
    const awaited = new Map<string, { readonly at: Instant; readonly raw: StartRange }>();
    for (const { pool, starts, at, by: forecaster } of this.#played) {
      const by = this.#named(forecaster);
      const passed = snapshot.at - at;
      pool.waits.forEach((job, i) => {
        const raw = {
          p10: Math.max(0, (starts.p10[i] as number) - passed),
          p50: Math.max(0, (starts.p50[i] as number) - passed),
          p90: Math.max(0, (starts.p90[i] as number) - passed),
        };
        forecasts.set(job.ref, { range: this.#calibration.correct(raw), raw, by });
        awaited.set(nameOfRun(job), this.#awaited.get(nameOfRun(job)) ?? { at: snapshot.at, raw });
      });
    }
    this.#forecasts = forecasts;
    this.#awaited = awaited;
  }

  /** Of a job that waits for its turn or for nodes; nobody knows when one that waits for something else will start. */
  of(ref: JobRef): StartForecast | undefined {
    return this.#forecasts.get(ref);
  }

  /** What was foreseen at the last look, for whoever is still at it when the next one comes. */
  kept(): Foreseen {
    const [forecasts, queues] = [this.#forecasts, this.queues()];
    return { of: (ref) => forecasts.get(ref), queues: () => queues };
  }

  /**
   * What the queue of the last look would say of one job more, in the place that its priority gives it. Nothing of it is kept. Of a long queue fewer
   * draws are taken, since somebody waits for the answer.
   */
  withOne(
    job: Job,
    snapshot: Snapshot,
    without: readonly string[],
    gone: ReadonlySet<JobRef>,
  ): { readonly forecast: StartForecast | undefined; readonly queues: readonly ExpectedQueue[] } {
    const more = { ...snapshot, jobs: [...snapshot.jobs, job] };
    const pool = poolsOf(more, without, gone).find((p) => p.waits.some(({ ref }) => ref === job.ref));
    if (pool === undefined) return { forecast: undefined, queues: this.queues() };
    const at = pool.waits.findIndex(({ ref }) => ref === job.ref);
    const { starts, expected, by } = this.#playOnce(pool, snapshot.at, waitsDrawn);
    const raw = {
      p10: starts.p10[at] as number,
      p50: starts.p50[at] as number,
      p90: starts.p90[at] as number,
    };
    const others = this.queues().filter((_, i) => this.#played[i]?.pool.partitions[0] !== pool.partitions[0]);
    return {
      forecast: { range: this.#calibration.correct(raw), raw, by: this.#named(by) },
      queues: [...others, expected],
    };
  }

  /** As of the last look. */
  queues(): readonly ExpectedQueue[] {
    return this.#played.map(({ expected, at }) => {
      const passed = (this.#lookedAt ?? at) - at;
      // Like the forecasts, one that was not played again has drawn nearer.
      return passed <= 0
        ? expected
        : { ...expected, startsInMs: expected.startsInMs.map((ms) => Math.max(0, ms - passed)) };
    });
  }

  #play(pool: Pool, at: Instant): Played {
    const key = keyOf(pool);
    const before = this.#played.find((p) => p.key === key);
    if (before !== undefined && at >= before.at && at - before.at < freshMs) return before;
    return { key, ...this.#playOnce(pool, at) };
  }

  #playOnce(pool: Pool, at: Instant, most = Number.POSITIVE_INFINITY): Omit<Played, 'key'> {
    const next = draws(seed);
    const all = drawsFor(this.#forecaster.draws, pool.runs.length);
    const few = Math.max(fewestDraws, Math.floor(most / Math.max(1, pool.waits.length)));
    const by = { ...this.#forecaster, draws: Math.min(all, few) };
    const starts = forecastStarts(pool.view, learnedRunTimes(this.#predictor), by, () => next() / 2 ** 32);
    return { at, starts, pool, by, expected: this.#expect(pool) };
  }

  #named = (forecaster: Forecaster): string => `${nameOf(forecaster)}, ${this.learned} runs known`;

  #expect({ view, waits }: Pool): ExpectedQueue {
    const { processors, running, waiting } = view;
    const jobs = [...running, ...waiting];
    const age = (i: number): number => running[i]?.ageMs ?? 0;
    const runMs = Float64Array.from(jobs, ({ user, processors: cpus, limitMs }, i) => {
      const job = { user, processors: cpus, requestMs: limitMs };
      return age(i) > 0
        ? remainingMs(this.#predictor.predict(job), limitMs, age(i))
        : this.#predictor.expectedMs(job);
    });
    const columns: ForecastInput = {
      processors: Int32Array.from(jobs, (j) => j.processors),
      limitMs: Float64Array.from(jobs, (j, i) => Math.max(1, j.limitMs - age(i))),
      runMs,
      running: running.length,
    };
    const starts = expectedStarts(processors, columns, usualExact).subarray(running.length);
    return { processors, waits, startsInMs: starts, workMs: workOf(columns) };
  }

  #learnStarts(pools: readonly Pool[]): void {
    if (this.#awaited.size === 0) return;
    const started: ForecastError[] = [];
    for (const { runs } of pools)
      for (const job of runs) {
        const said = this.#awaited.get(nameOfRun(job));
        if (said === undefined || job.startAt === undefined || !Number.isFinite(said.raw.p90)) continue;
        this.#awaited.delete(nameOfRun(job));
        started.push({ ...said, actualMs: Math.max(0, job.startAt - said.at) });
      }
    started.sort((a, b) => a.at + a.actualMs - (b.at + b.actualMs));
    this.#note(started);
    this.#errors.push(...started);
  }
}

/** Ends that the site chose, not the job. */
const cutOff: ReadonlySet<EndedRun['state']> = new Set([
  'NODE_FAIL',
  'PREEMPTED',
  'BOOT_FAIL',
  'REQUEUED',
  'REVOKED',
]);

const nameOfRun = (job: Pick<Job, 'ref' | 'submitAt'>): string => `${job.ref}@${job.submitAt}`;

/** Everything that a forecast depends on but the time that passes. */
function keyOf({ view, waits, runs }: Pool): string {
  const as = (
    job: Job,
    i: number,
    of: readonly { readonly processors: number; readonly limitMs: number }[],
  ): string => `${job.ref}/${of[i]?.processors}/${of[i]?.limitMs}`;
  return [
    view.processors,
    ...runs.map((job, i) => `${as(job, i, view.running)}/${job.startAt}`),
    '',
    ...waits.map((job, i) => as(job, i, view.waiting)),
  ].join(' ');
}
