/**
 * EASY backfill over a number of processors (Lifka 1995; Mu'alem and Feitelson 2001): the first in the queue gets the earliest moment at
 * which enough is free by the running jobs' limits; whoever fits now and delays it by no second may go before it.
 */
import { Ends } from './backfill-ends.ts';

/** Jobs as columns, by index, so that hundreds of thousands are walked without an object each. */
export interface JobColumns {
  readonly processors: Int32Array;
  /** What the scheduler takes for the run time: the limit, as a rule. */
  readonly limitMs: Float64Array;
}

/** What jobs must have besides processors while they run, such as memory or GPUs: of a site's many kinds a job needs few. */
export interface Bounds {
  /** Of each kind so much there is in all. */
  readonly most: readonly number[];
  readonly needs: Needs;
}

/** Of job `j` those from `from[j]` on, up to `from[j + 1]`: so much of which kind. */
export interface Needs {
  readonly from: Int32Array;
  readonly kinds: Int32Array;
  readonly amounts: Float64Array;
}

/** `of`: what a job needs of each kind, in the order of the kinds. */
export function needsOf(jobs: number, of: (job: number) => readonly number[]): Needs {
  const from = new Int32Array(jobs + 1);
  const [kinds, amounts]: [number[], number[]] = [[], []];
  for (let job = 0; job < jobs; job++) {
    for (const [kind, amount] of of(job).entries())
      if (amount > 0) {
        kinds.push(kind);
        amounts.push(amount);
      }
    from[job + 1] = kinds.length;
  }
  return { from, kinds: Int32Array.from(kinds), amounts: Float64Array.from(amounts) };
}

export interface Order {
  /** Place in the queue, least first: only the first has a reservation. */
  readonly rank?: Float64Array;
  /** In which order the others are tried, least first; the rank where it is left out. SJBF has the limits here. */
  readonly tried?: Float64Array;
}

const nothing = new Float64Array(0);

/** One machine and its queue. Who calls says when jobs come and end, and asks for a `pass` after each such moment. */
export class Backfill {
  readonly #all: number;
  readonly #processors: Int32Array;
  readonly #limitMs: Float64Array;
  readonly #rank: Float64Array | undefined;
  readonly #tried: Float64Array | undefined;
  #free: number;
  /** What every job must have besides, what of it is free, and what of it is to spare at the reservation. */
  readonly #bounds: Bounds | undefined;
  readonly #left: Float64Array;
  readonly #leftThen: Float64Array;
  /** The queue in the order in which it is tried, with what is read most beside it. */
  #waiting = new Int32Array(256);
  #needs = new Int32Array(256);
  #count = 0;
  #first = -1;
  /** What runs, by when it should be over. */
  #runs = new Int32Array(256);
  #overAt = new Float64Array(256);
  #running = 0;
  readonly #overOf: Float64Array;
  /** The reservation of the first in the queue, as long as nothing has ended: when it begins, and what is to spare then. */
  #reservedAt = Number.NaN;
  #spare = 0;
  /** Everybody in the queue has been tried since something ended or the first changed, but for those from here on. */
  #untried: number[] = [];
  #stale = true;

  constructor(processors: number, jobs: JobColumns, order: Order = {}, bounds?: Bounds) {
    this.#all = processors;
    this.#free = processors;
    this.#bounds = bounds === undefined || bounds.most.length === 0 ? undefined : bounds;
    this.#left = this.#bounds === undefined ? nothing : Float64Array.from(this.#bounds.most);
    this.#leftThen = this.#bounds === undefined ? nothing : new Float64Array(this.#left.length);
    this.#processors = jobs.processors;
    this.#limitMs = jobs.limitMs;
    this.#rank = order.rank;
    this.#tried = order.tried ?? order.rank;
    this.#overOf = new Float64Array(jobs.processors.length);
  }

  get free(): number {
    return this.#free;
  }

  /** As it was made: nobody waits, nothing runs. */
  clear(): void {
    this.#free = this.#all;
    if (this.#bounds !== undefined) this.#left.set(this.#bounds.most);
    this.#count = 0;
    this.#first = -1;
    this.#running = 0;
    this.#reservedAt = Number.NaN;
    this.#spare = 0;
    this.#untried.length = 0;
    this.#stale = true;
  }

  /** Whether it would start at once, with nobody in the queue before it. */
  isFreeFor(job: number): boolean {
    return this.#count === 0 && this.#holds(job);
  }

  /** How many wait. */
  get length(): number {
    return this.#count;
  }

  get running(): number {
    return this.#running;
  }

  /** The `i`th of those who wait, in the order in which they are tried. */
  at(i: number): number {
    return i < this.#count ? (this.#waiting[i] as number) : -1;
  }

  /** The `i`th of those who run, by when they should be over. */
  runningAt(i: number): number {
    return i < this.#running ? (this.#runs[i] as number) : -1;
  }

  submit(job: number): void {
    if (this.#count === this.#waiting.length) {
      this.#waiting = grown(this.#waiting, Int32Array);
      this.#needs = grown(this.#needs, Int32Array);
    }
    const at = this.#placeOf(job);
    if (at < this.#count) {
      this.#waiting.copyWithin(at + 1, at, this.#count);
      this.#needs.copyWithin(at + 1, at, this.#count);
    }
    this.#waiting[at] = job;
    this.#needs[at] = this.#processors[job] as number;
    this.#count += 1;
    if (this.#first < 0 || this.#before(job, this.#first, this.#rank)) {
      this.#first = job;
      this.#stale = true;
    } else if (!this.#stale) this.#untried.push(job);
  }

  /** Leaves the queue without a start; false where it does not wait here. */
  withdraw(job: number): boolean {
    const at = this.#find(job);
    if (at < 0) return false;
    this.#drop(at);
    if (job === this.#first) {
      this.#first = this.#firstOf();
      this.#stale = true;
    } else if (this.#untried.length > 0) this.#untried = this.#untried.filter((j) => j !== job);
    return true;
  }

  /** Starts it without asking whether it is its turn: what runs already when the look begins. */
  begin(job: number, overAt: number): void {
    if (this.#running === this.#runs.length) {
      this.#runs = grown(this.#runs, Int32Array);
      this.#overAt = grown(this.#overAt, Float64Array);
    }
    let low = 0;
    let high = this.#running;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#overAt[middle] as number) <= overAt) low = middle + 1;
      else high = middle;
    }
    if (low < this.#running) {
      this.#runs.copyWithin(low + 1, low, this.#running);
      this.#overAt.copyWithin(low + 1, low, this.#running);
    }
    this.#runs[low] = job;
    this.#overAt[low] = overAt;
    this.#overOf[job] = overAt;
    this.#running += 1;
    this.#free -= this.#processors[job] as number;
    this.#add(this.#left, job, -1);
  }

  end(job: number): void {
    const overAt = this.#overOf[job] as number;
    let low = 0;
    let high = this.#running;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#overAt[middle] as number) < overAt) low = middle + 1;
      else high = middle;
    }
    while (low < this.#running && this.#runs[low] !== job) low += 1;
    if (low === this.#running) throw new RangeError(`job ${job} does not run`);
    this.#runs.copyWithin(low, low + 1, this.#running);
    this.#overAt.copyWithin(low, low + 1, this.#running);
    this.#running -= 1;
    this.#free += this.#processors[job] as number;
    this.#add(this.#left, job, 1);
    this.#stale = true;
  }

  /** Starts everybody who may start now, and tells each. */
  pass(now: number, started: (job: number) => void): void {
    if (!this.#stale) {
      for (const job of this.#untried) {
        if (!this.#fits(job, now)) continue;
        this.#drop(this.#find(job));
        this.#take(job, now, started);
      }
      this.#untried.length = 0;
      return;
    }
    while (this.#first >= 0 && this.#holds(this.#first)) {
      const job = this.#first;
      this.#drop(this.#find(job));
      this.#begin(job, now, started);
      this.#first = this.#firstOf();
    }
    this.#stale = false;
    this.#untried.length = 0;
    if (this.#first < 0) return;
    this.#reserve(now);
    this.#tryAll(now, started);
  }

  /** When the first in the queue starts at the latest if nothing ends early; undefined where nobody waits or it never can. */
  reservation(): number | undefined {
    return this.#first < 0 || !Number.isFinite(this.#reservedAt) ? undefined : this.#reservedAt;
  }

  #tryAll(now: number, started: (job: number) => void): void {
    let kept = 0;
    const count = this.#count;
    for (let i = 0; i < count; i++) {
      const job = this.#waiting[i] as number;
      const needs = this.#needs[i] as number;
      if (needs <= this.#free && job !== this.#first && this.#fits(job, now)) {
        this.#take(job, now, started);
        continue;
      }
      if (kept < i) {
        this.#waiting[kept] = job;
        this.#needs[kept] = needs;
      }
      kept += 1;
      if (this.#free === 0) {
        if (kept <= i) {
          this.#waiting.copyWithin(kept, i + 1, count);
          this.#needs.copyWithin(kept, i + 1, count);
        }
        kept += count - i - 1;
        break;
      }
    }
    this.#count = kept;
  }

  /** Whether there is enough of everything now. */
  #holds(job: number): boolean {
    return (this.#processors[job] as number) <= this.#free && this.#within(this.#left, job);
  }

  #fits(job: number, now: number): boolean {
    if (!this.#holds(job)) return false;
    if (now + (this.#limitMs[job] as number) <= this.#reservedAt) return true;
    return (this.#processors[job] as number) <= this.#spare && this.#within(this.#leftThen, job);
  }

  #take(job: number, now: number, started: (job: number) => void): void {
    if (now + (this.#limitMs[job] as number) > this.#reservedAt) {
      this.#spare -= this.#processors[job] as number;
      this.#add(this.#leftThen, job, -1);
    }
    this.#begin(job, now, started);
  }

  #within(left: Float64Array, job: number): boolean {
    if (this.#bounds === undefined) return true;
    const { from, kinds, amounts } = this.#bounds.needs;
    const end = from[job + 1] as number;
    for (let i = from[job] as number; i < end; i++)
      if ((amounts[i] as number) > (left[kinds[i] as number] as number)) return false;
    return true;
  }

  #add(to: Float64Array, job: number, times: number): void {
    if (this.#bounds === undefined) return;
    const { from, kinds, amounts } = this.#bounds.needs;
    const end = from[job + 1] as number;
    for (let i = from[job] as number; i < end; i++)
      to[kinds[i] as number] = (to[kinds[i] as number] as number) + times * (amounts[i] as number);
  }

  #begin(job: number, now: number, started: (job: number) => void): void {
    this.begin(job, now + (this.#limitMs[job] as number));
    started(job);
  }

  #reserve(now: number): void {
    const first = this.#first;
    const needs = this.#processors[first] as number;
    const then = this.#leftThen;
    then.set(this.#left);
    let free = this.#free;
    let i = 0;
    while (i < this.#running && (free < needs || !this.#within(then, first))) {
      const at = this.#overAt[i] as number;
      // Whoever ends at the same moment counts as well: what they leave is to spare.
      for (; i < this.#running && this.#overAt[i] === at; i++) {
        const job = this.#runs[i] as number;
        free += this.#processors[job] as number;
        this.#add(then, job, 1);
      }
      // A job past its limit is about to be ended.
      this.#reservedAt = Math.max(at, now);
    }
    if (free < needs || !this.#within(then, first)) {
      // Nothing delays who can never start.
      this.#reservedAt = Number.POSITIVE_INFINITY;
      return;
    }
    this.#spare = free - needs;
    this.#add(then, first, -1);
  }

  #before(a: number, b: number, by: Float64Array | undefined): boolean {
    if (by === undefined) return a < b;
    const less = (by[a] as number) - (by[b] as number);
    return less < 0 || (less === 0 && a < b);
  }

  #placeOf(job: number): number {
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#before(this.#waiting[middle] as number, job, this.#tried)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #find(job: number): number {
    const at = this.#placeOf(job);
    return at < this.#count && this.#waiting[at] === job ? at : -1;
  }

  #drop(at: number): void {
    this.#waiting.copyWithin(at, at + 1, this.#count);
    this.#needs.copyWithin(at, at + 1, this.#count);
    this.#count -= 1;
  }

  #firstOf(): number {
    if (this.#count === 0) return -1;
    if (this.#tried === this.#rank) return this.#waiting[0] as number;
    let first = this.#waiting[0] as number;
    for (let i = 1; i < this.#count; i++)
      if (this.#before(this.#waiting[i] as number, first, this.#rank)) first = this.#waiting[i] as number;
    return first;
  }
}

function grown<T extends Int32Array | Float64Array>(old: T, make: new (length: number) => T): T {
  const more = new make(old.length * 2);
  more.set(old);
  return more;
}

export interface ForecastInput extends JobColumns {
  /** How long each really runs; of those who run already, how much longer. */
  readonly runMs: Float64Array;
  /** The first so many run already, and their `limitMs` is what is left of it; the others wait, in the order of the queue. */
  readonly running: number;
}

/**
 * When each starts if nobody else comes: 0 for who runs already, infinite for who never can. Times count from the moment of the look.
 * The machine decides by limits, and jobs end when they end: a draw of the run times gives a draw of the starts.
 */
export function startsOf(processors: number, jobs: ForecastInput, starts?: Float64Array): Float64Array {
  return new Starter(processors, jobs).starts(starts ?? new Float64Array(jobs.processors.length));
}

/** The same of one queue again and again, whose `runMs` may be other ones each time: to make a machine takes longer than to clear it. */
export class Starter {
  readonly #jobs: ForecastInput;
  readonly #all: number;
  readonly #machine: Backfill;
  readonly #ends: Ends;

  constructor(processors: number, jobs: ForecastInput) {
    this.#all = processors;
    this.#jobs = jobs;
    this.#machine = new Backfill(processors, jobs);
    this.#ends = new Ends(jobs.processors.length);
  }

  /** Written to `out`, by the job's index. */
  starts(out: Float64Array): Float64Array {
    const { processors, limitMs, runMs, running } = this.#jobs;
    const [machine, ends] = [this.#machine, this.#ends];
    const odd = runMs.findIndex((ms) => Number.isNaN(ms));
    if (odd >= 0) throw new RangeError(`job ${odd} has no run time: it would never end`);
    machine.clear();
    ends.clear();
    out.fill(Number.POSITIVE_INFINITY);
    for (let i = 0; i < running; i++) {
      machine.begin(i, limitMs[i] as number);
      ends.push(i, runMs[i] as number);
      out[i] = 0;
    }
    for (let i = running; i < processors.length; i++)
      if ((processors[i] as number) <= this.#all) machine.submit(i);
    let now = 0;
    const started = (job: number): void => {
      out[job] = now;
      ends.push(job, now + (runMs[job] as number));
    };
    machine.pass(now, started);
    while (machine.length > 0 && ends.length > 0) {
      now = Math.max(now, ends.nextAt);
      while (ends.length > 0 && ends.nextAt <= now) machine.end(ends.pop());
      machine.pass(now, started);
    }
    return out;
  }
}
