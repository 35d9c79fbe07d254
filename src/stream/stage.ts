/**
 * Data that lie under no mount, on their way between a far end and the object store (protocol/spill.md, section 12). A far end names a hash and
 * a size; the key, and whether it may have it, is said here. No bytes pass here and no far end has a key of the store's.
 */
import type { Blob } from '../domain/data.ts';
import { type Instant, instant } from '../domain/ids.ts';
import type { Clock, ObjectsPort, SignedRequest } from '../ports.ts';
import type { Message, Told } from './messages.ts';

export interface StageOrder {
  /** Never used twice for another order; the same again asks how far it came. */
  readonly id: string;
  /** `send`: what lies under the paths goes to the store; `fetch`: the manifest's comes there; `end`: nothing more is asked. */
  readonly way: 'send' | 'fetch' | 'end';
  readonly paths: readonly string[];
  /** What is to be fetched. */
  readonly manifest?: Blob | undefined;
  /** A file that cannot be sent fails the whole; else it is told of and left out. */
  readonly strict: boolean;
  /** In front of each hash: `CLUSTER/UID/blob` and the like. */
  readonly keys: string;
  /** Contents that are older than this are sent again, since a sweep may take them away meanwhile. Undefined: none is too old. */
  readonly reuseSince?: Instant | undefined;
  /** Of all that is sent. */
  readonly mostBytes: number;
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
/** What a store takes in one piece. */
const mostInOne = 5 * 2 ** 30;

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
  /** Of this order, by hash: what it may send was said to it. */
  readonly #granted = new Map<string, number>();

  /** `send` reaches the far end if it is there; `changed` is called when it has said what came of an order. */
  constructor(needs: StageNeeds, send: (message: Message) => void, changed: () => void) {
    this.#needs = needs;
    this.#send = send;
    this.#changed = changed;
  }

  /** Of the newest order. */
  get staged(): Staged | undefined {
    return this.#staged;
  }

  want(order: StageOrder): void {
    if (this.#order?.id === order.id) return;
    this.#order = order;
    this.#staged = undefined;
    this.#granted.clear();
    this.up();
  }

  /** It has a new connection, or can be asked only now. */
  up(): void {
    const order = this.#order;
    if (order === undefined || this.#staged !== undefined) return;
    const { id, way, paths, manifest, strict, mark, jobId, since, say } = order;
    const { roots } = this.#needs;
    this.#send({
      ...{ type: 'STAGE', id, way, paths: paths.map((path) => Buffer.from(path).toString('base64')) },
      ...(manifest === undefined ? {} : { manifest }),
      ...(strict ? { strict } : {}),
      ...{ mark, jobId, sinceMs: since, say },
      ...(roots === undefined || way === 'end' ? {} : { roots }),
    });
  }

  /** BLOBS and STAGED; what belongs to another order is an older one's and is passed over. */
  hear(m: Told<'BLOBS'> | Told<'STAGED'>): void {
    const order = this.#order;
    if (order === undefined || m.id !== order.id) return;
    if (m.type === 'BLOBS') {
      void this.#sign(order, m);
      return;
    }
    if (this.#staged !== undefined) return;
    const { id, fault, manifest, files, bytes, told } = m;
    this.#staged = { id, fault, manifest, files, bytes, told };
    this.#changed();
  }

  /** A store that cannot be asked is no answer: the far end asks again in a while. */
  async #sign(order: StageOrder, { id, n, method, blobs }: Told<'BLOBS'>): Promise<void> {
    try {
      const signed: SignedBlob[] = [];
      for (const blob of blobs) signed.push(await this.#one(order, method, blob));
      if (this.#order === order) this.#send({ type: 'SIGNED', id, n, blobs: signed });
    } catch (e) {
      this.#needs.note?.('the object store did not answer', { order: id, error: String(e) });
    }
  }

  async #one(order: StageOrder, method: 'get' | 'put', { sha256, size }: Blob): Promise<SignedBlob> {
    const { objects } = this.#needs;
    const refused = (why: string): SignedBlob => ({ sha256, refused: why });
    if (objects === undefined) return refused('the gateway has no object store any more');
    const key = `${order.keys}/${sha256.toLowerCase()}`;
    if (method === 'get') return { sha256, ...sent(await objects.signGet(key, urlMs)) };
    if (order.way !== 'send') return refused('nothing was to be sent');
    if (size > mostInOne)
      return refused(`it has ${size} bytes, and 5 GiB are the most that one file may have`);
    // Asked for again it counts once.
    const others = [...this.#granted].reduce((sum, [of, bytes]) => (of === sha256 ? sum : sum + bytes), 0);
    if (others + size > order.mostBytes)
      return refused(
        `with it the job's data are more than the ${order.mostBytes} bytes that one job may carry (staging.maxSize)`,
      );
    this.#granted.set(sha256, size);
    const there = await objects.head(key);
    if (there?.size === size && there.at >= (order.reuseSince ?? instant(0))) return { sha256, there: true };
    return { sha256, ...sent(await objects.signPut(key, { size, sha256: sha256.toLowerCase() }, urlMs)) };
  }
}

type SignedBlob = Told<'SIGNED'>['blobs'][number];

const sent = ({ url, headers }: SignedRequest): Pick<SignedBlob, 'url' | 'headers'> => ({ url, headers });
