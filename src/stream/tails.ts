/** The last of what each burst wrote, in memory alone: so that its owner can watch it. The truth is the job's output file. */
import type { BurstId } from '../domain/ids.ts';
import type { Scheduler } from '../ports.ts';
import { Tail } from './tail.ts';
import type { Tap } from './tap.ts';

/** Over all bursts; beyond it, what has been silent for longest is emptied. */
const allBytes = 64 * 1_048_576;
/** So long after its end a burst's is still there. */
const keptMs = 10 * 60_000;

interface Entry {
  readonly tails: Map<1 | 2, Tail>;
  ending: { cancel(): void } | undefined;
}

export class Tails implements Tap {
  readonly #scheduler: Scheduler;
  readonly #most: number;
  readonly #entries = new Map<BurstId, Entry>();
  /** Those that hold bytes, the longest silent first. */
  readonly #full = new Set<Entry>();
  #bytes = 0;

  constructor(scheduler: Scheduler, most = allBytes) {
    this.#scheduler = scheduler;
    this.#most = most;
  }

  /** What all of them take of memory. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Of so many bursts something is known. */
  get size(): number {
    return this.#entries.size;
  }

  /** Undefined: nothing of it went through here, or it was forgotten. */
  tail(burst: BurstId, channel: 1 | 2): Pick<Tail, 'first' | 'begin' | 'end' | 'read'> | undefined {
    return this.#entries.get(burst)?.tails.get(channel);
  }

  passed(burst: BurstId, channel: 1 | 2, offset: number, bytes: Uint8Array): void {
    const entry = this.#entryOf(burst);
    let tail = entry.tails.get(channel);
    if (tail === undefined) {
      tail = new Tail(offset);
      entry.tails.set(channel, tail);
    }
    const before = tail.room;
    tail.push(offset, bytes);
    this.#bytes += tail.room - before;
    this.#full.delete(entry);
    this.#full.add(entry);
    while (this.#bytes > this.#most) this.#emptyOne();
  }

  ended(burst: BurstId): void {
    const entry = this.#entries.get(burst);
    if (entry === undefined) return;
    entry.ending ??= this.#scheduler.after(keptMs, () => this.moved(burst));
  }

  moved(burst: BurstId): void {
    const entry = this.#entries.get(burst);
    if (entry === undefined) return;
    entry.ending?.cancel();
    this.#entries.delete(burst);
    this.#empty(entry);
  }

  #entryOf(burst: BurstId): Entry {
    const known = this.#entries.get(burst);
    if (known !== undefined) return known;
    const entry: Entry = { tails: new Map(), ending: undefined };
    this.#entries.set(burst, entry);
    return entry;
  }

  #emptyOne(): void {
    const [first] = this.#full;
    if (first !== undefined) this.#empty(first);
  }

  #empty(entry: Entry): void {
    this.#full.delete(entry);
    for (const tail of entry.tails.values()) {
      this.#bytes -= tail.room;
      tail.empty();
    }
  }
}
