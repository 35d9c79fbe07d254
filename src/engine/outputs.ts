/** What a job writes, to who may read it: its owner, and an admin where the site lets him, which stands in the audit. */
import type { Burst, BurstState } from '../domain/burst.ts';
import { type Caller, sees, signature } from '../domain/caller.ts';
import type { BurstId, ClusterName } from '../domain/ids.ts';
import { orderId } from '../domain/order.ts';
import { tornBefore, tornBehind } from '../domain/utf8.ts';
import type { Clock, Entropy, StorePort } from '../ports.ts';
import type { Streams } from '../stream/streams.ts';
import type { Tails } from '../stream/tails.ts';
import { OrderRows, type OrderRowsGiven } from './order-rows.ts';

/** What it needs of a cluster. */
export interface Carried {
  readonly name: ClusterName;
  /** Its streams run through this process. */
  readonly leads: boolean;
  readonly settings: { readonly streams: Pick<Streams, 'keeper'> };
}

export interface OutputsGiven extends OrderRowsGiven {
  readonly clusters: readonly Carried[];
  readonly store: Pick<StorePort, 'burst'>;
  readonly tails: Pick<Tails, 'tail'>;
  /** Admins may read what is not theirs. */
  readonly admins: boolean;
  readonly clock: Clock;
  readonly entropy: Pick<Entropy, 'uuid'>;
}

export const outputChannels = { stdout: 1, stderr: 2 } as const;
export type OutputStream = keyof typeof outputChannels;

export interface OutputAsked {
  readonly burst: BurstId;
  readonly stream: OutputStream;
  /** The first byte that is wanted; undefined: all that is kept. */
  readonly after: number | undefined;
  readonly caller: Caller;
}

/**
 * Why bytes that are wanted are not shown. `fell_out`: only the last are kept. `before`: they did not come through this process, which began
 * to carry the burst later. `forgotten`: the burst ended a while ago. `elsewhere`: another gateway carries it.
 */
export const missingReasons = ['fell_out', 'before', 'forgotten', 'elsewhere'] as const;
export type MissingReason = (typeof missingReasons)[number];

export interface Output {
  readonly burst: Burst;
  /** Of the first of `bytes`, in the whole stream. */
  readonly offset: number;
  readonly bytes: Buffer;
  /** Ends of both streams, as far as they are known here. */
  readonly ends: Readonly<Record<OutputStream, number>>;
  readonly missing: MissingReason | undefined;
  /** Nothing more will come. */
  readonly over: boolean;
}

export type OutputSaid =
  | { readonly kind: 'told'; readonly output: Output }
  /** Or somebody else's, of whose jobs he sees nothing. */
  | { readonly kind: 'none' }
  | { readonly kind: 'private'; readonly why: string };

/** All of it was written by the stand-in, or none will come. */
const overStates: ReadonlySet<BurstState> = new Set<BurstState>([
  ...(['reported', 'final', 'settled', 'requeueing', 'requeued', 'failed'] as const),
  ...(['returning', 'returned', 'started_onprem', 'withdrawn'] as const),
]);
/** One who watches is in the audit once in so long, not each time that he asks. */
const auditedForMs = 3_600_000;
const readersAtMost = 10_000;

export class Outputs {
  readonly #given: OutputsGiven;
  readonly #rows: OrderRows;
  /** Readers and what they read, with when it was written down. */
  readonly #audited = new Map<string, { readonly at: number; readonly written: Promise<void> }>();

  constructor(given: OutputsGiven) {
    this.#given = given;
    this.#rows = new OrderRows(given);
  }

  async read({ burst: id, stream, after, caller }: OutputAsked): Promise<OutputSaid> {
    const burst = await this.#given.store.burst(id);
    const cluster = this.#given.clusters.find((c) => c.name === burst?.cluster);
    if (burst === undefined || cluster === undefined || !sees(caller, burst.user)) return { kind: 'none' };
    const why = this.#refusal(caller, burst);
    if (why !== undefined) return { kind: 'private', why };
    if (caller.name !== burst.user) await this.#audit(caller, burst);
    return { kind: 'told', output: this.#output(burst, cluster, stream, after) };
  }

  #refusal({ name, role, by }: Caller, { user }: Burst): string | undefined {
    if (by === 'open')
      return 'who asks is not known here, and what a job writes is for its owner; configure api';
    if (name === user || (role === 'admin' && this.#given.admins)) return undefined;
    const his = `what a job writes is for its owner, ${user}`;
    return role === 'admin'
      ? `${his}; admins read it where api.adminsReadOutput is true`
      : `${his}; an operator sees that it ran, not what it wrote`;
  }

  /** Before anything is shown: what cannot be written down is not read. */
  async #audit(caller: Caller, burst: Burst): Promise<void> {
    const by = signature(caller);
    const key = `${burst.id} ${by}`;
    const now = this.#given.clock.now();
    const known = this.#audited.get(key);
    // Who asks many times at once waits for the one row.
    if (known !== undefined && now - known.at < auditedForMs) return known.written;
    const { cluster, ref, user } = burst;
    const what = `read the output of job ${ref} of ${user}`;
    const id = orderId(this.#given.entropy.uuid());
    const written = this.#rows.around({ id, by, what, cluster, ref, user }, '', async () => undefined);
    const [oldest] = this.#audited.keys();
    if (this.#audited.size >= readersAtMost && oldest !== undefined) this.#audited.delete(oldest);
    this.#audited.delete(key);
    this.#audited.set(key, { at: now, written });
    await written.catch((e: unknown) => {
      this.#audited.delete(key);
      throw e;
    });
  }

  #output(burst: Burst, cluster: Carried, stream: OutputStream, after: number | undefined): Output {
    const { tails } = this.#given;
    const over = overStates.has(burst.state);
    const acked = cluster.settings.streams.keeper(burst.id)?.acked ?? { 1: 0, 2: 0 };
    const endOf = (c: 1 | 2): number => Math.max(tails.tail(burst.id, c)?.end ?? 0, acked[c]);
    const ends = { stdout: endOf(1), stderr: endOf(2) };
    const tail = tails.tail(burst.id, outputChannels[stream]);
    const wanted = after ?? 0;
    const offset = Math.max(wanted, tail?.begin ?? ends[stream]);
    const bytes = tail?.read(offset) ?? Buffer.alloc(0);
    const reason = (): MissingReason | undefined => {
      // Nothing of either stream: it was silent, or it went by elsewhere, or is forgotten.
      if (tail === undefined && ends.stdout + ends.stderr === 0) {
        if (!cluster.leads && !over) return 'elsewhere';
        return over && burst.startedAt !== undefined ? 'forgotten' : undefined;
      }
      if (offset <= wanted) return undefined;
      return tail !== undefined && tail.begin > tail.first ? 'fell_out' : 'before';
    };
    return { burst, ...whole(offset, bytes, offset > wanted, over), ends, missing: reason(), over };
  }
}

/** No character is torn where a ring was cut, or where more is to come. */
function whole(
  offset: number,
  bytes: Buffer,
  cut: boolean,
  over: boolean,
): { readonly offset: number; readonly bytes: Buffer } {
  const before = cut ? tornBefore(bytes) : 0;
  const behind = over ? 0 : tornBehind(bytes.subarray(before));
  return { offset: offset + before, bytes: bytes.subarray(before, bytes.length - behind) };
}
