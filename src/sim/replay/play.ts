/**
 * A trace played on one machine, or on several sets of nodes, with EASY backfill and a cloud beside it, under a policy that says who goes there. A job that has been sent
 * to the cloud has left the queue for good, at once or when its instances have booted; it starts then, and runs as long as it would have here.
 */
import { Backfill } from '../../decide/backfill.ts';
import { Ends } from '../../decide/backfill-ends.ts';
import { Predictor } from '../../decide/predict.ts';
import { Machines, type NodeSets } from './node-sets.ts';
import type { Columns, Policy, Sight } from './policy.ts';
import { type CloudRun, type SpotTerms, spotRunsOf } from './spot.ts';

export interface CloudTerms {
  /** From the burst to the job's first second. */
  readonly bootMs: number;
  /** At most so many at once; infinite where the cloud gives whatever is asked. */
  readonly processors: number;
  /** Undefined: none is bought. */
  readonly spot?: SpotTerms | undefined;
}

export interface Site {
  readonly processors: number;
  /** Left out: one machine of so many processors. */
  readonly nodes?: NodeSets;
  readonly cloud: CloudTerms;
  /** A policy is asked who of those that wait should go after each change, but no sooner than this after the last time. */
  readonly tickMs: number;
  /** Set: it is asked on this grid instead, as a gateway looks, whether or not anything changed or anybody waits. */
  readonly looks?: Grid;
  /** Set: what has ended is learned of on this grid, as a gateway reads it from slurmdbd: what had ended `lagMs` before. Else at once. */
  readonly learns?: Grid & { readonly lagMs: number };
}

export interface Grid {
  readonly fromMs: number;
  readonly everyMs: number;
}

/** The first moment of the grid that is no earlier than `ms`. */
const onGrid = ({ fromMs, everyMs }: Grid, ms: number): number =>
  fromMs + Math.max(0, Math.ceil((ms - fromMs) / everyMs)) * everyMs;

export const usualCloud: CloudTerms = { bootMs: 180_000, processors: Number.POSITIVE_INFINITY };
export const usualTickMs = 60_000;

/** One run, by the index of each job. */
export interface Played {
  /** From submission to the first second of the run, wherever that was; what spot took back and what came after it count as waiting. */
  readonly waitMs: Float64Array;
  /** When it was sent to the cloud; NaN for who ran here. */
  readonly burstMs: Float64Array;
  /** Of those that went on spot, by job. */
  readonly spotRuns: ReadonlyMap<number, readonly CloudRun[]>;
  readonly ticks: number;
}

const never = Number.POSITIVE_INFINITY;

export function play(trace: Columns, site: Site, policy: Policy = {}): Played {
  return new Run(trace, site, policy).play();
}

class Run {
  readonly #trace: Columns;
  readonly #site: Site;
  readonly #policy: Policy;
  readonly #machine: Backfill | Machines;
  readonly #ends = new Ends();
  readonly #cloudEnds = new Ends();
  /** Who bursts when, if still waiting then. */
  readonly #deadlines = new Ends();
  readonly #learned = new Predictor();
  /** Ended, and not learned of yet. */
  #unread: { readonly job: number; readonly endMs: number }[] = [];
  readonly #waitMs: Float64Array;
  readonly #burstMs: Float64Array;
  readonly #spotRuns = new Map<number, readonly CloudRun[]>();
  readonly #startedMs: Float64Array;
  readonly #endedMs: Float64Array;
  /** Out of patience while the cloud was full: they go as soon as there is room, in the order in which they ran out. */
  #refused: number[] = [];
  #inCloud = 0;
  /** Somebody gave his place in the cloud back without having run there. */
  #roomAgain = false;
  readonly #away = new Set<number>();
  readonly #late: boolean;
  /** Whose capacity is ready when, where claims are late. */
  readonly #claims = new Ends();
  #now = 0;
  #ticks = 0;
  readonly #started = (job: number): void => {
    if (this.#late && this.#away.delete(job)) this.#stay(job);
    this.#startedMs[job] = this.#now;
    this.#waitMs[job] = this.#now - (this.#trace.submitMs[job] as number);
    this.#ends.push(job, this.#now + (this.#trace.runMs[job] as number));
  };

  constructor(trace: Columns, site: Site, policy: Policy) {
    this.#trace = trace;
    this.#site = site;
    this.#policy = policy;
    this.#late = policy.claims === 'late';
    this.#machine =
      site.nodes === undefined
        ? new Backfill(site.processors, trace, trace)
        : new Machines(site.nodes, trace);
    const count = trace.jobs.length;
    this.#waitMs = new Float64Array(count).fill(Number.NaN);
    this.#burstMs = new Float64Array(count).fill(Number.NaN);
    this.#startedMs = new Float64Array(count).fill(Number.NaN);
    this.#endedMs = new Float64Array(count).fill(Number.NaN);
  }

  play(): Played {
    const { submitMs } = this.#trace;
    const count = submitMs.length;
    const asks = this.#policy.chosen !== undefined;
    let next = 0;
    let tickAt = never;
    let askedAt = -never;
    while (next < count || this.#ends.length > 0 || this.#machine.length > 0) {
      const submitted = next < count ? (submitMs[next] as number) : never;
      const change = Math.min(
        submitted,
        this.#ends.nextAt,
        this.#cloudEnds.nextAt,
        this.#deadlines.nextAt,
        this.#claims.nextAt,
        this.#site.looks === undefined ? tickAt : never,
      );
      if (change === never) throw new RangeError('jobs wait that can never start: larger than the machine?');
      this.#now = Math.min(change, tickAt);
      this.#endAll();
      while (next < count && (submitMs[next] as number) <= this.#now) this.#come(next++);
      this.#machine.pass(this.#now, this.#started);
      this.#hurry();
      this.#claim();
      if (this.#roomAgain) this.#offerAgain();
      if (asks && tickAt === never) tickAt = this.#nextAsk(askedAt);
      if (tickAt <= this.#now) {
        tickAt = never;
        if (this.#machine.length > 0 || this.#site.looks !== undefined) {
          askedAt = this.#now;
          this.#ask();
          // Who waits while nothing runs waits for ever, which the loop's head tells.
          if (this.#policy.byTime === true && this.#machine.length > 0 && this.#ends.length > 0)
            tickAt = askedAt + this.#site.tickMs;
        }
        if (this.#site.looks !== undefined) tickAt = this.#nextAsk(askedAt);
      } else if (this.#machine.length === 0 && this.#site.looks === undefined) tickAt = never;
    }
    return {
      ...{ waitMs: this.#waitMs, burstMs: this.#burstMs },
      ...{ spotRuns: this.#spotRuns, ticks: this.#ticks },
    };
  }

  /** Without a grid a question follows a change; without one the answer would be the same, and only time has passed. */
  #nextAsk(askedAt: number): number {
    const { looks, tickMs } = this.#site;
    return looks === undefined
      ? Math.max(this.#now, askedAt + tickMs)
      : onGrid(looks, Math.max(this.#now, askedAt + 1));
  }

  #endAll(): void {
    while (this.#ends.nextAt <= this.#now) {
      const job = this.#ends.pop();
      this.#machine.end(job);
      this.#learn(job);
    }
    if (this.#cloudEnds.nextAt > this.#now) return;
    while (this.#cloudEnds.nextAt <= this.#now) {
      const job = this.#cloudEnds.pop();
      this.#inCloud -= this.#trace.processors[job] as number;
      this.#away.delete(job);
      this.#learn(job);
    }
    this.#offerAgain();
  }

  /** Who ran out of patience while the cloud was full. */
  #offerAgain(): void {
    this.#roomAgain = false;
    const refused = this.#refused;
    this.#refused = [];
    for (const job of refused) if (this.#waits(job) && !this.#leave(job)) this.#refused.push(job);
  }

  #learn(job: number): void {
    this.#endedMs[job] = this.#now;
    if (this.#policy.chosen === undefined && this.#policy.patienceMs === undefined) return;
    if (this.#site.learns !== undefined) this.#unread.push({ job, endMs: this.#now });
    else this.#know(job);
  }

  #know(job: number): void {
    const { jobs, runMs } = this.#trace;
    this.#learned.learn(jobs[job] as (typeof jobs)[number], runMs[job] as number);
  }

  /** As sacct lists them: by their end, and of one second by their ids. */
  #read({ fromMs, everyMs, lagMs }: NonNullable<Site['learns']>): void {
    const readAt = fromMs + Math.floor((this.#now - fromMs) / everyMs) * everyMs;
    const second = (ms: number): number => Math.floor(ms / 1_000);
    const known = this.#unread.filter(({ endMs }) => 1_000 * second(endMs) < readAt - lagMs);
    if (known.length === 0) return;
    this.#unread = this.#unread.filter((one) => !known.includes(one));
    known.sort((a, b) => second(a.endMs) - second(b.endMs) || a.job - b.job);
    for (const { job } of known) this.#know(job);
  }

  /** Without patience a job queues behind nobody, not even where backfill might let it through. */
  #come(job: number): void {
    if (this.#policy.patienceMs === undefined) {
      this.#machine.submit(job);
      return;
    }
    // Those of one moment come one after the other.
    this.#machine.pass(this.#now, this.#started);
    const patience = this.#machine.isFreeFor(job) ? never : this.#policy.patienceMs(job, this.#sight());
    const bursts = patience <= 0 && this.#burst(job);
    if (bursts && !this.#late) return;
    this.#machine.submit(job);
    if (!bursts && patience < never) this.#deadlines.push(job, this.#now + patience);
  }

  /** Those whose patience is over go. */
  #hurry(): void {
    let gone = false;
    while (this.#deadlines.nextAt <= this.#now) {
      const job = this.#deadlines.pop();
      if (!this.#waits(job)) continue;
      if (this.#leave(job)) gone = true;
      else this.#refused.push(job);
    }
    // Who is first now may start, or leave a gap that others fit into.
    if (gone) this.#machine.pass(this.#now, this.#started);
  }

  #ask(): void {
    this.#ticks += 1;
    const chosen = this.#policy.chosen?.(this.#sight()) ?? [];
    let gone = false;
    for (const job of chosen) if (this.#leave(job)) gone = true;
    if (gone) this.#machine.pass(this.#now, this.#started);
  }

  /** False where the cloud has no room, or it does not wait any more. */
  #leave(job: number): boolean {
    if (!this.#waits(job) || !this.#burst(job)) return false;
    if (!this.#late) this.#machine.withdraw(job);
    return true;
  }

  #burst(job: number): boolean {
    const needs = this.#trace.processors[job] as number;
    const { bootMs, processors } = this.#site.cloud;
    if (this.#inCloud + needs > processors) return false;
    this.#inCloud += needs;
    this.#away.add(job);
    this.#burstMs[job] = this.#now;
    if (this.#late) this.#claims.push(job, this.#now + bootMs);
    else this.#runThere(job, this.#now + bootMs);
    return true;
  }

  #runThere(job: number, at: number): void {
    const run = this.#trace.runMs[job] as number;
    const endMs = this.#onSpot(job, at, run) ?? at + run;
    this.#waitMs[job] = endMs - run - (this.#trace.submitMs[job] as number);
    this.#cloudEnds.push(job, endMs);
  }

  /** When the last of its runs ends; undefined: it goes on demand. */
  #onSpot(job: number, at: number, run: number): number | undefined {
    const { spot, bootMs } = this.#site.cloud;
    if (spot === undefined || this.#policy.onSpot?.(job) === false) return undefined;
    const runs = spotRunsOf(job, at - bootMs, bootMs, run, spot);
    this.#spotRuns.set(job, runs);
    return runs.at(-1)?.toMs;
  }

  /** Whose capacity is ready and who still waits leaves the queue. */
  #claim(): void {
    let gone = false;
    while (this.#claims.nextAt <= this.#now) {
      const job = this.#claims.pop();
      if (!this.#away.has(job)) continue;
      this.#machine.withdraw(job);
      this.#runThere(job, this.#now);
      gone = true;
    }
    if (gone) this.#machine.pass(this.#now, this.#started);
  }

  /** It started here before its capacity was ready. */
  #stay(job: number): void {
    this.#inCloud -= this.#trace.processors[job] as number;
    this.#burstMs[job] = Number.NaN;
    this.#roomAgain = true;
  }

  #waits(job: number): boolean {
    return Number.isNaN(this.#startedMs[job] as number) && Number.isNaN(this.#burstMs[job] as number);
  }

  #sight(): Sight {
    if (this.#site.learns !== undefined) this.#read(this.#site.learns);
    return {
      nowMs: this.#now,
      processors: this.#site.processors,
      machine: this.#machine,
      startedMs: this.#startedMs,
      burstMs: this.#burstMs,
      spotRuns: this.#spotRuns,
      endedMs: this.#endedMs,
      away: this.#away,
      learned: this.#learned,
    };
  }
}
