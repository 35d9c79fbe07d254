/** Carrying data as a far end does it (protocol/spill.md, section 12), on files that are texts by their path. */
import { createHash } from 'node:crypto';
import type { Scheduler } from '../../ports.ts';
import type { Message, Told } from '../../stream/messages.ts';
import type { ObjectsModel } from './objects.ts';

/** A file system of texts; directories are what names begin with. */
export class Files {
  readonly #all = new Map<string, string>();

  write(path: string, text: string): void {
    this.#all.set(path, text);
  }

  remove(path: string): void {
    this.#all.delete(path);
  }

  read(path: string): string | undefined {
    return this.#all.get(path);
  }

  /** Path below it ('' is itself) and content, in order. */
  under(path: string): readonly (readonly [string, string])[] {
    return [...this.#all]
      .filter(([name]) => name === path || name.startsWith(`${path}/`))
      .map(([name, text]) => [name.slice(path.length + 1), text] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1));
  }
}

export interface FarStageNeeds {
  readonly files: Files;
  readonly objects: ObjectsModel;
  readonly scheduler: Scheduler;
  /** To the gateway, if it is there. */
  send(message: Message): void;
  /** A line on the job's stderr. */
  say?(line: string): void;
  /** Nothing more is asked. */
  ended?(): void;
}

interface Entry {
  readonly root: number;
  readonly path: string;
  readonly sha256: string;
  readonly size: number;
}

/** One content's way, and between two questions that nobody answered. */
const carryMs = 700;
const askAgainMs = 15_000;
const retryMs = 2_000;

export class FarStage {
  readonly #needs: FarStageNeeds;
  #order: Told<'STAGE'> | undefined;
  #answer: Told<'STAGED'> | undefined;
  #asked: { readonly message: Told<'BLOBS'>; readonly on: (blob: SignedBlob) => void } | undefined;
  #timer: { cancel(): void } | undefined;
  #asks = 0;
  #over = false;
  /** What came by an order and is as it was then is no result: its texts by path. */
  readonly #brought = new Map<string, string>();

  constructor(needs: FarStageNeeds) {
    this.#needs = needs;
  }

  take(order: Told<'STAGE'>): void {
    if (this.#over) return;
    if (this.#order?.id === order.id) {
      if (this.#asked !== undefined) this.#needs.send(this.#asked.message);
      if (this.#answer !== undefined) this.#needs.send(this.#answer);
      return;
    }
    this.#timer?.cancel();
    this.#order = order;
    this.#answer = undefined;
    this.#asked = undefined;
    for (const line of order.say) this.#needs.say?.(line);
    if (order.way === 'send') this.#sendAll(order);
    else if (order.way === 'fetch') this.#fetchAll(order);
    else {
      this.#done({});
      this.#needs.ended?.();
    }
  }

  signed({ id, n, blobs }: Told<'SIGNED'>): void {
    const asked = this.#asked;
    const [blob] = blobs;
    if (asked === undefined || this.#over || asked.message.id !== id || asked.message.n !== n) return;
    if (blob === undefined) return;
    this.#timer?.cancel();
    this.#asked = undefined;
    asked.on(blob);
  }

  /** Its process is gone. `fault`: somebody else says so in its place. */
  stop(fault?: string): void {
    if (this.#over) return;
    this.#over = true;
    this.#timer?.cancel();
    const order = this.#order;
    if (fault !== undefined && order !== undefined && this.#answer === undefined)
      this.#needs.send({ type: 'STAGED', id: order.id, fault, files: 0, bytes: 0, told: [] });
  }

  #sendAll(order: Told<'STAGE'>): void {
    const entries: Entry[] = [];
    const texts: string[] = [];
    const told: string[] = [];
    for (const [root, path] of order.paths.map(decoded).entries()) {
      const found = this.#needs.files.under(path);
      if (found.length === 0 && order.strict === true) {
        this.#done({ fault: `${path}: no such file or directory` });
        return;
      }
      if (found.length === 0) told.push(`${path} was not carried: no such file or directory`);
      for (const [below, text] of found) {
        if (this.#brought.get(below === '' ? path : `${path}/${below}`) === text) continue;
        entries.push({ root, path: below, ...blobOf(text) });
        texts.push(text);
      }
    }
    const list = JSON.stringify(entries);
    this.#each(
      [...texts, list],
      (text, next) => this.#put(blobOf(text), text, next, text === list),
      () => this.#done({ manifest: blobOf(list), entries, told }),
    );
  }

  #fetchAll(order: Told<'STAGE'>): void {
    const lists = [
      ...(order.manifest === undefined ? [] : [{ rank: 0, ...order.manifest }]),
      ...(order.others ?? []),
    ];
    const all: Entry[] = [];
    const told: string[] = [];
    /** Which node made what has a name by now. */
    const made = new Map<string, number>();
    this.#each(
      lists,
      (list, nextList) =>
        this.#get(list, (text) => {
          const entries = JSON.parse(text) as Entry[];
          all.push(...entries);
          this.#each(
            entries,
            (entry, next) =>
              this.#get(entry, (content) => {
                this.#place(order, entry, content, list.rank, made, told);
                next();
              }),
            nextList,
          );
        }),
      () => this.#done({ entries: all, told }),
    );
  }

  #place(
    order: Told<'STAGE'>,
    entry: Entry,
    text: string,
    rank: number,
    made: Map<string, number>,
    told: string[],
  ): void {
    const { files } = this.#needs;
    const root = decoded(order.paths[entry.root] ?? '');
    const path = entry.path === '' ? root : `${root}/${entry.path}`;
    const before = made.get(path);
    if (before === undefined) {
      files.write(path, text);
      made.set(path, rank);
      if (order.strict === true) this.#brought.set(path, text);
    } else if (files.read(path) !== text) {
      const beside = `${path}.spill-${order.jobId}-rank${rank}`;
      files.write(beside, text);
      told.push(`${path} was made by rank ${before} and by rank ${rank}: the latter's is ${beside}`);
    }
  }

  #each<T>(all: readonly T[], work: (one: T, next: () => void) => void, then: () => void): void {
    const [first, ...rest] = all;
    if (first === undefined) then();
    else work(first, () => this.#each(rest, work, then));
  }

  #put(blob: Blob, text: string, then: () => void, list: boolean): void {
    const partBytes = this.#order?.partBytes ?? blob.size;
    if (!list && blob.size > partBytes) {
      this.#putParts(blob, piecesOf(Buffer.from(text), partBytes), then);
      return;
    }
    const on = (signed: SignedBlob): void => {
      if (signed.there === true) then();
      else
        this.#exchange(
          'PUT',
          signed,
          Buffer.from(text),
          () => this.#put(blob, text, then, list),
          () => then(),
        );
    };
    this.#ask('put', blob, on, list);
  }

  /** Whole already, or part by part, and whole once the gateway says so. */
  #putParts(blob: Blob, pieces: readonly Uint8Array[], then: () => void): void {
    const parts = pieces.length;
    const again = (): void => this.#putParts(blob, pieces, then);
    const one = (piece: Uint8Array, number: number, next: () => void): void => {
      const part = { number, ...blobOf(piece) };
      this.#ask('put', { ...blob, part }, (signed) => {
        if (signed.there === true) next();
        else this.#exchange('PUT', signed, piece, again, next, true);
      });
    };
    this.#ask('put', { ...blob, parts }, (first) => {
      if (first.there === true) then();
      else
        this.#each(
          [...pieces.entries()],
          ([i, piece], next) => one(piece, i + 1, next),
          () => this.#ask('join', { ...blob, parts }, (last) => (last.there === true ? then() : again())),
        );
    });
  }

  #get(blob: Blob, then: (text: string) => void): void {
    this.#ask('get', blob, (signed) =>
      this.#exchange(
        'GET',
        signed,
        undefined,
        () => this.#get(blob, then),
        (bytes) => {
          const text = Buffer.from(bytes).toString('utf8');
          if (blobOf(text).sha256 === blob.sha256) then(text);
          else this.#done({ fault: 'other bytes came than were to come' });
        },
      ),
    );
  }

  #exchange(
    method: 'PUT' | 'GET',
    { url = '', headers = {} }: SignedBlob,
    body: Uint8Array | undefined,
    again: () => void,
    then: (bytes: Uint8Array) => void,
    part = false,
  ): void {
    this.#later(carryMs, () => {
      const { status, body: bytes } = this.#needs.objects.send({ method, url, headers }, body);
      if (status === 200) then(bytes);
      else if (status === 403 || status >= 500 || (part && status === 404)) this.#later(retryMs, again);
      else this.#done({ fault: `the store answered HTTP ${status}` });
    });
  }

  #ask(method: Told<'BLOBS'>['method'], blob: Blob, on: (blob: SignedBlob) => void, list = false): void {
    const order = this.#order;
    if (order === undefined) return;
    this.#asks += 1;
    const message: Told<'BLOBS'> = {
      ...{ type: 'BLOBS', id: order.id, n: this.#asks, method, blobs: [blob] },
      ...(list ? { list } : {}),
    };
    const then = (blob: SignedBlob): void => {
      if (blob.refused === undefined) on(blob);
      else this.#done({ fault: blob.refused });
    };
    this.#asked = { message, on: then };
    const say = (): void => {
      this.#needs.send(message);
      this.#later(askAgainMs, say);
    };
    say();
  }

  #later(ms: number, work: () => void): void {
    this.#timer = this.#needs.scheduler.after(ms, () => {
      if (!this.#over) work();
    });
  }

  #done({ fault, manifest, entries = [], told = [] }: Outcome): void {
    const order = this.#order;
    if (order === undefined) return;
    for (const line of told) this.#needs.say?.(line);
    this.#answer = {
      ...{ type: 'STAGED', id: order.id },
      ...(fault === undefined ? {} : { fault }),
      ...(manifest === undefined ? {} : { manifest }),
      ...{ files: entries.length, bytes: entries.reduce((sum, { size }) => sum + size, 0), told },
    };
    this.#needs.send(this.#answer);
  }
}

interface Outcome {
  readonly fault?: string;
  readonly manifest?: Blob;
  readonly entries?: readonly Entry[];
  readonly told?: readonly string[];
}
type SignedBlob = Told<'SIGNED'>['blobs'][number];
type Blob = Told<'BLOBS'>['blobs'][number];

const decoded = (base64: string): string => Buffer.from(base64, 'base64').toString('utf8');
const blobOf = (content: string | Uint8Array): Blob => ({
  sha256: createHash('sha256').update(content).digest('hex'),
  size: Buffer.byteLength(content),
});

function piecesOf(bytes: Uint8Array, each: number): readonly Uint8Array[] {
  return Array.from({ length: Math.ceil(bytes.length / each) }, (_, i) =>
    bytes.subarray(i * each, (i + 1) * each),
  );
}
