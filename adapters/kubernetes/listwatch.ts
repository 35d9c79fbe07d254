/**
 * A list-watch that does not die: client-node's informer never delivers again after one reset, and its Watch has
 * neither time-out nor any notion of silence. Here every way a stream can end leads to another one, and what was
 * missed is read again.
 */
import type { Instant } from '../../src/domain/ids.ts';
import type { Clock } from '../../src/ports.ts';
import { answered, apiStatus, statusOf } from './faults.ts';
import type { Call, Http } from './http.ts';
import { at, list, text, whole } from './json.ts';
import { limit } from './limit.ts';
import { jsonLines } from './lines.ts';
import type { Log } from './log.ts';

export interface Tuning {
  readonly pageSize: number;
  /** The API server ends a watch after this long; spread, so that not all come back at once. */
  readonly watchSeconds: readonly [number, number];
  /**
   * A stream that is silent this long past its own time is dead. Sooner would be wrong: an API server whose objects
   * do not change sends no bookmarks either (apiserver 1.34, cacheWatcher.process: only for a newer version).
   */
  readonly silenceGraceMs: number;
  readonly backoffMs: readonly [number, number];
  /** How often new tenant namespaces are looked for. */
  readonly namespacesMs: number;
  /** Read everything anew this often, whatever the stream says. */
  readonly relistMs: number;
}

export const defaultTuning: Tuning = {
  pageSize: 500,
  watchSeconds: [240, 300],
  silenceGraceMs: 15_000,
  backoffMs: [250, 5_000],
  namespacesMs: 60_000,
  relistMs: 3_600_000,
};

export interface Tools {
  readonly http: Http;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  readonly tuning: Tuning;
}

/** What of an object is kept: its view, and what tells two objects of one name, and two states of one object, apart. */
interface Kept<T> {
  readonly view: T;
  readonly uid: string;
  readonly version: string;
}

export interface Source<T> {
  /** For sight() and the log, such as `pods spillway-alice`. */
  readonly what: string;
  readonly path: string;
  readonly selector?: string;
  readonly read: (object: unknown) => T | undefined;
  readonly on: (view: T, gone: boolean) => void;
}

export class ListWatch<T> {
  readonly #source: Source<T>;
  readonly #tools: Tools;
  readonly #closing = new AbortController();
  readonly #cache = new Map<string, Kept<T>>();
  readonly #done: Promise<void>;
  #heard: Instant | undefined;
  #fault: string | undefined = 'not listed yet';
  #refused = false;
  #listedAt: number | undefined;

  constructor(source: Source<T>, tools: Tools) {
    this.#source = source;
    this.#tools = tools;
    this.#done = this.#run();
  }

  /** Undefined until the first list. */
  get items(): readonly T[] | undefined {
    return this.#listedAt === undefined ? undefined : [...this.#cache.values()].map(({ view }) => view);
  }

  /** The API server said that we may not look: there will be no list, and nothing of ours can have been made there. */
  get refused(): boolean {
    return this.#refused;
  }

  get sight(): { readonly what: string; readonly at: Instant; readonly fault: string | undefined } {
    return { what: this.#source.what, at: this.#heard ?? (0 as Instant), fault: this.#fault };
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#done;
  }

  async #run(): Promise<void> {
    const [shortest, longest] = this.#tools.tuning.backoffMs;
    let version: string | undefined;
    let failures = 0;
    while (!this.#closing.signal.aborted) {
      let opened: number | undefined;
      const lasted = (): number => (opened === undefined ? 0 : performance.now() - opened);
      try {
        if (version === undefined || this.#stale()) version = await this.#list();
        opened = performance.now();
        await this.#follow(version, (seen) => {
          version = seen;
        });
        if (lasted() < shortest) throw new Error('the watch ended at once');
        failures = 0;
        await this.#pause(this.#spread(0, shortest));
      } catch (error) {
        if (this.#closing.signal.aborted) return;
        failures = lasted() > longest ? 1 : failures + 1;
        const code = statusOf(error)?.code;
        this.#broke(error, code, failures);
        // Too old to go on from; or an outage, after which the store may even be an older one than before.
        if (code === 410 || failures > 1) version = undefined;
        await this.#pause(this.#backoff(failures));
      }
    }
  }

  #broke(error: unknown, code: number | undefined, failures: number): void {
    const { what } = this.#source;
    const { log } = this.#tools;
    this.#refused = code === 403;
    this.#fault = error instanceof Error ? error.message : String(error);
    if (code === 410) log.info({ what }, 'the watch fell behind; listing again');
    else log.warn({ what, fault: this.#fault, failures }, 'the watch broke; starting again');
  }

  #stale(): boolean {
    const { clock, tuning } = this.#tools;
    return this.#listedAt === undefined || clock.now() - this.#listedAt > tuning.relistMs;
  }

  async #list(): Promise<string> {
    const { http, tuning } = this.#tools;
    const { path, selector, what } = this.#source;
    const seen = new Set<string>();
    let next = '';
    let version = '';
    do {
      // The pages come one after another, each parsed in a turn of its own.
      const query = {
        limit: `${tuning.pageSize}`,
        ...(selector === undefined ? {} : { labelSelector: selector }),
        ...(next === '' ? {} : { continue: next }),
      };
      const call: Call = { at: 'kubernetes.watch', method: 'GET', path, query, timeoutMs: 30_000 };
      const page = await http.json(call, this.#closing.signal);
      version = text(at(page, 'metadata', 'resourceVersion'));
      next = text(at(page, 'metadata', 'continue'));
      for (const object of list(at(page, 'items'))) seen.add(this.#put(object));
      this.#hear();
    } while (next !== '');
    for (const key of [...this.#cache.keys()]) if (!seen.has(key)) this.#drop(key);
    this.#listedAt = this.#tools.clock.now();
    this.#refused = false;
    this.#fault = version === '' ? `the list of ${what} has no version` : undefined;
    return version;
  }

  /** Until the API server ends the stream in good order. `mark` hears where to go on from. */
  async #follow(from: string, mark: (version: string) => void): Promise<void> {
    const { http, tuning } = this.#tools;
    const { path, selector } = this.#source;
    const seconds = Math.round(this.#spread(...tuning.watchSeconds));
    const ending = new AbortController();
    const within = limit(undefined, ending.signal, this.#closing.signal);
    const end = (): void => ending.abort(new Error('the watch went silent'));
    // Until the answer's head is there the ordinary limit for a call holds.
    let silence = setTimeout(end, 15_000);
    const listen = (): void => {
      clearTimeout(silence);
      silence = setTimeout(end, seconds * 1000 + tuning.silenceGraceMs);
    };
    try {
      const query = {
        watch: 'true',
        resourceVersion: from,
        allowWatchBookmarks: 'true',
        timeoutSeconds: `${seconds}`,
        ...(selector === undefined ? {} : { labelSelector: selector }),
      };
      const stream = await http.open({ at: 'kubernetes.watch', method: 'GET', path, query }, within.signal);
      this.#hear();
      this.#fault = undefined;
      listen();
      for await (const event of jsonLines(stream)) {
        const version = this.#take(event);
        listen();
        if (version !== undefined) mark(version);
      }
    } catch (error) {
      throw ending.signal.aborted ? ending.signal.reason : error;
    } finally {
      clearTimeout(silence);
      ending.abort();
      within.done();
    }
  }

  #take(event: unknown): string | undefined {
    const object = at(event, 'object');
    const type = text(at(event, 'type'));
    if (type === 'ERROR') {
      const code = whole(at(object, 'code'));
      throw answered('kubernetes.watch', apiStatus(code, JSON.stringify(object)), false);
    }
    this.#hear();
    // A bookmark only says how far the stream is.
    if (type === 'DELETED') this.#gone(object);
    else if (type !== 'BOOKMARK') this.#put(object);
    return text(at(object, 'metadata', 'resourceVersion')) || undefined;
  }

  /** The key; empty for what cannot be read. */
  #put(object: unknown): string {
    const meta = at(object, 'metadata');
    const uid = text(at(meta, 'uid'));
    const version = text(at(meta, 'resourceVersion'));
    const key = keyOf(object);
    const before = this.#cache.get(key);
    // A list after a broken watch brings mostly what is known already.
    if (before?.uid === uid && before.version === version) return key;
    const view = this.#source.read(object);
    if (view === undefined) {
      this.#tools.log.warn({ what: this.#source.what, key }, 'not an object that we can read');
      return '';
    }
    // The one of that name that we knew was deleted while nobody watched.
    if (before !== undefined && before.uid !== uid) this.#drop(key);
    this.#cache.set(key, { view, uid, version });
    this.#tell(view, false);
    return key;
  }

  /** Told with its last state, which is in no other event. */
  #gone(object: unknown): void {
    const key = keyOf(object);
    const view = this.#source.read(object) ?? this.#cache.get(key)?.view;
    this.#cache.delete(key);
    if (view !== undefined) this.#tell(view, true);
  }

  #drop(key: string): void {
    const kept = this.#cache.get(key);
    if (kept === undefined) return;
    this.#cache.delete(key);
    this.#tell(kept.view, true);
  }

  #tell(view: T, gone: boolean): void {
    try {
      this.#source.on(view, gone);
    } catch (error) {
      this.#tools.log.warn({ what: this.#source.what, error: `${error}` }, 'a watch handler threw');
    }
  }

  #hear(): void {
    this.#heard = this.#tools.clock.now();
  }

  #backoff(failures: number): number {
    const [least, most] = this.#tools.tuning.backoffMs;
    const full = Math.min(most, least * 2 ** Math.min(failures - 1, 16));
    return this.#spread(full / 2, full);
  }

  #spread(from: number, to: number): number {
    return from + this.#tools.random() * (to - from);
  }

  /** Ends at once when the watch is closed. */
  #pause(ms: number): Promise<void> {
    return pause(ms, this.#closing.signal);
  }
}

function keyOf(object: unknown): string {
  return `${text(at(object, 'metadata', 'namespace'))}/${text(at(object, 'metadata', 'name'))}`;
}

export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
  });
}
