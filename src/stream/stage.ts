/**
 * Data that lie under no mount, on their way between a far end and the object store (protocol/spill.md, section 12). A far end names a hash and
 * a size; the key, and whether it may have it, is said here. No bytes pass here and no far end has a key of the store's.
 */
import type { Blob } from '../domain/data.ts';
import { type Instant, instant } from '../domain/ids.ts';
import type { Clock, ObjectsPort, SignedRequest } from '../ports.ts';
import { pressure } from './link.ts';
import type { Message, Told } from './messages.ts';
import { bytesOfPart, partsOf, Uploads } from './uploads.ts';

export interface StageOrder {
  /** Never used twice for another order; the same again asks how far it came. */
  readonly id: string;
  /** `send`: what lies under the paths goes to the store; `fetch`: the manifest's comes there; `end`: nothing more is asked. */
  readonly way: 'send' | 'fetch' | 'end';
  readonly paths: readonly string[];
  /** What is to be fetched; of a job of several nodes, what the first of them has. */
  readonly manifest?: Blob | undefined;
  /** What its other nodes have, in order of rank: nothing of theirs takes a name that one before has taken. */
  readonly others?: readonly (Blob & { readonly rank: number })[] | undefined;
  /** A file that cannot be sent fails the whole; else it is told of and left out. */
  readonly strict: boolean;
  /** In front of each hash: `CLUSTER/UID/blob` and the like. */
  readonly keys: string;
  /** Contents that are older than this are sent again, since a sweep may take them away meanwhile. Undefined: none is too old. */
  readonly reuseSince?: Instant | undefined;
  /** Of all that is sent. */
  readonly mostBytes: number;
  /** What is longer is sent in parts of that size. Undefined: nothing is. */
  readonly partBytes?: number | undefined;
  /** Stands in the names of what is not whole yet, and of what is put beside a file of the user's. */
  readonly mark: string;
  readonly jobId: number;
  /** What was written there since then is not overwritten. */
  readonly since: Instant;
  /** Lines for the job's stderr, before anything is done. */
  readonly say: readonly string[];
}

/** What came of an order. */
export interface Staged {
  readonly id: string;
  readonly fault: string | undefined;
  /** Of what was sent. */
  readonly manifest: Blob | undefined;
  readonly files: number;
  readonly bytes: number;
  /** What was left out or put elsewhere, for the job's owner. */
  readonly told: readonly string[];
}

/** The fault of a pod whose main is gone: asking again is of no use. */
export const mainGone = 'main_gone';

/** A URL is for an hour; one that has grown old is asked for again. */
const urlMs = 3_600_000;
/** What a store takes in one piece, and what it makes of parts. [AWS: Amazon S3 multipart upload limits] */
const mostInOne = 5 * 2 ** 30;
const mostInParts = 5 * 2 ** 40;

/** Of one far end at once; what is beyond is asked again. A far end has four. */
const mostUnanswered = 8;
/** In one question. A far end has one. */
const mostAsked = 32;
/** Different contents of one order: each is remembered until its end. */
const mostBlobs = 200_000;
/** Of the manifest itself, which does not count among the job's data: about a million entries. */
const mostManifest = 256 * 2 ** 20;
/** Twenty, and how many more. */
const mostTold = 21;
const mostLine = 1_000;

export interface StageNeeds {
  readonly clock: Clock;
  /** Undefined: the site has no store. */
  readonly objects?: ObjectsPort | undefined;
  /** Certificates (PEM) that the far ends are to trust beside their own. */
  readonly roots?: string | undefined;
  note?(text: string, about: Readonly<Record<string, unknown>>): void;
}

/** One far end: what it was asked last, and what it said to it. */
export class Stager {
  readonly #needs: StageNeeds;
  readonly #changed: () => void;
  readonly #send: (message: Message) => void;
  #order: StageOrder | undefined;
  #staged: Staged | undefined;
  readonly #queued: () => number;
  /** Of this order, by hash: what it may send was said to it, and how much that is. */
  readonly #granted = new Map<string, number>();
  #grantedBytes = 0;
  #manifest: string | undefined;
  /** What is being signed, by its number. */
  #unanswered = new Set<number>();
  #uploads: Uploads | undefined;
  /** The most contents and bytes that any order of that way here got to, and when. */
  #furthest = { way: 'end', contents: 0, bytes: 0 };
  #carriedAt: Instant | undefined;

  /**
   * `send` reaches the far end if it is there; `changed` is called when it has said what came of an order; `queued`: bytes that it
   * has not taken yet.
   */
  constructor(
    needs: StageNeeds,
    send: (message: Message) => void,
    changed: () => void,
    queued: () => number = () => 0,
  ) {
    this.#queued = queued;
    this.#needs = needs;
    this.#send = send;
    this.#changed = changed;
  }

  /** Of the newest order. */
  get staged(): Staged | undefined {
    return this.#staged;
  }

  /** When it got further than any try before it; undefined: it has sent nothing yet. */
  get carriedAt(): Instant | undefined {
    return this.#carriedAt;
  }

  want(order: StageOrder): void {
    if (this.#order?.id === order.id) return;
    this.#order = order;
    this.#staged = undefined;
    this.#granted.clear();
    this.#grantedBytes = 0;
    this.#manifest = undefined;
    const { objects } = this.#needs;
    this.#uploads = objects && new Uploads(objects);
    if (this.#furthest.way !== order.way) this.#furthest = { way: order.way, contents: 0, bytes: 0 };
    this.#unanswered = new Set();
    this.up();
  }

  /** It has a new connection, or can be asked only now. */
  up(): void {
    const order = this.#order;
    if (order === undefined || this.#staged !== undefined) return;
    const { id, way, paths, manifest, others, strict, partBytes, mark, jobId, since, say } = order;
    const { roots } = this.#needs;
    this.#send({
      ...{ type: 'STAGE', id, way, paths: paths.map((path) => Buffer.from(path).toString('base64')) },
      ...(manifest === undefined ? {} : { manifest }),
      ...(others === undefined ? {} : { others }),
      ...(strict ? { strict } : {}),
      ...(partBytes === undefined || way !== 'send' ? {} : { partBytes }),
      ...{ mark, jobId, sinceMs: since, say },
      ...(roots === undefined || way === 'end' ? {} : { roots }),
    });
  }

  /** What belongs to another order is an older one's and is passed over. */
  hear(m: Told<'BLOBS'> | Told<'CARRIED'> | Told<'STAGED'>): void {
    const order = this.#order;
    if (order === undefined || m.id !== order.id) return;
    if (m.type === 'BLOBS') {
      void this.#sign(order, m);
      return;
    }
    if (m.type === 'CARRIED') {
      this.#further('bytes', m.bytes);
      return;
    }
    if (this.#staged !== undefined) return;
    const { id, fault, manifest, files, bytes, told } = m;
    // These lines go to a terminal, into a comment and into the next order.
    this.#staged = {
      ...{ id, manifest, files, bytes, fault: fault === undefined ? undefined : plain(fault) },
      told: told.slice(0, mostTold).map(plain),
    };
    this.#changed();
  }

  /** A store that cannot be asked is no answer: the far end asks again in a while. */
  async #sign(order: StageOrder, { id, n, method, blobs, list }: Told<'BLOBS'>): Promise<void> {
    const open = this.#unanswered;
    if (open.has(n) || open.size >= mostUnanswered || blobs.length > mostAsked) return;
    // It asks and does not read: what it was answered must not pile up here.
    if (this.#queued() > pressure) return;
    open.add(n);
    try {
      const signed: SignedBlob[] = [];
      for (const blob of blobs) signed.push(await this.#one(order, method, blob, list === true));
      if (this.#order === order) this.#send({ type: 'SIGNED', id, n, blobs: signed });
    } catch (e) {
      this.#needs.note?.('the object store did not answer', { order: id, error: String(e) });
    } finally {
      open.delete(n);
    }
  }

  async #one(
    order: StageOrder,
    method: Told<'BLOBS'>['method'],
    { sha256, size, parts, part }: AskedBlob,
    list: boolean,
  ): Promise<SignedBlob> {
    const { objects } = this.#needs;
    const refused = (why: string): SignedBlob => ({ sha256, refused: why });
    if (objects === undefined) return refused('the gateway has no object store any more');
    const of = sha256.toLowerCase();
    const key = `${order.keys}/${of}`;
    if (method === 'get') return { sha256, ...sent(await objects.signGet(key, urlMs)) };
    if (order.way !== 'send') return refused('nothing was to be sent');
    const several = parts !== undefined || part !== undefined;
    if (size > (several ? mostInParts : mostInOne))
      return refused(
        `it has ${size} bytes, and ${several ? '5 TiB' : '5 GiB'} are the most that one file may have${several ? '' : ' that is sent in one piece: its spill is older than this gateway'}`,
      );
    const why = list ? this.#mayList(of, size) : this.#mayAdd(order, of, size);
    if (why !== undefined) return refused(why);
    const uploads = this.#uploads;
    if (part !== undefined && uploads !== undefined)
      return { sha256, ...(await this.#part(order, objects, uploads, key, size, part)) };
    const there = await objects.head(key);
    if (there?.size === size && there.at >= (order.reuseSince ?? instant(0))) return { sha256, there: true };
    if (parts !== undefined && uploads !== undefined) {
      if (parts !== partsOf(size, order.partBytes ?? mostInOne))
        return refused('in other parts than were asked for');
      uploads.forget(key);
      const joined = method === 'join' && (await uploads.join(key, size, order.partBytes ?? mostInOne));
      return { sha256, ...(joined ? { there: true } : { inParts: true }) };
    }
    return { sha256, ...sent(await objects.signPut(key, { size, sha256: of }, urlMs)) };
  }

  /** Why a content may not be sent, if so. Asked for again it counts once. */
  #mayAdd(order: StageOrder, of: string, size: number): string | undefined {
    const known = this.#granted.get(of);
    const bytes = this.#grantedBytes - (known ?? 0) + size;
    if (bytes > order.mostBytes)
      return `with it the job's data are more than the ${order.mostBytes} bytes that one job may carry (staging.maxSize)`;
    if (known === undefined && this.#granted.size >= mostBlobs)
      return `the job has more than the ${mostBlobs} different files that one may carry: pack them into fewer`;
    this.#granted.set(of, size);
    this.#grantedBytes = bytes;
    this.#further('contents', this.#granted.size);
    return undefined;
  }

  /** What is done again in another try is not further. */
  #further(what: 'contents' | 'bytes', come: number): void {
    if (come <= this.#furthest[what]) return;
    this.#furthest[what] = come;
    this.#carriedAt = this.#needs.clock.now();
  }

  /** One part: what an earlier try has brought of the same bytes is not sent again. */
  async #part(
    order: StageOrder,
    objects: ObjectsPort,
    uploads: Uploads,
    key: string,
    whole: number,
    { number, sha256, size }: NonNullable<AskedBlob['part']>,
  ): Promise<Omit<SignedBlob, 'sha256'>> {
    if (size !== bytesOfPart(whole, order.partBytes ?? mostInOne, number))
      return { refused: 'it is no part of what was asked for' };
    const { id, parts } = await uploads.find(key);
    const have = parts.get(number);
    if (have?.sha256 === sha256.toLowerCase() && have.size === size) return { there: true };
    return sent(await objects.signPart(key, id, { number, size, sha256: sha256.toLowerCase() }, urlMs));
  }

  /** The manifest is ours, not the job's, so it is one, and bounded, and does not count: else what just fits would fail by it. */
  #mayList(of: string, size: number): string | undefined {
    if (this.#manifest !== undefined && this.#manifest !== of) return 'an order has one manifest';
    if (size > mostManifest) return 'its manifest is too long: the job has too many files';
    this.#manifest = of;
    return undefined;
  }
}

type AskedBlob = Told<'BLOBS'>['blobs'][number];
type SignedBlob = Told<'SIGNED'>['blobs'][number];

const plain = (line: string): string => line.slice(0, mostLine).replace(/[\p{Cc}\u2028\u2029]/gu, '?');

const sent = ({ url, headers }: SignedRequest): Pick<SignedBlob, 'url' | 'headers'> => ({ url, headers });
