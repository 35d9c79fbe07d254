/** What was decided of each job last, kept in memory while this gateway leads: a queue is mostly what it was a minute ago. */
import { type Basis, type Decision, type Receipt, sameDecision } from '../domain/decision.ts';
import {
  type AttemptKey,
  type ClusterName,
  type Instant,
  instant,
  type JobRef,
  type Uuid,
} from '../domain/ids.ts';
import type { SeenAgain, StorePort } from '../ports.ts';

/** Unchanged decisions are counted here for so long before they are told the store: a crash loses these counts and nothing else. */
const tellMs = 60_000;
const askAtOnce = 5_000;

interface Noted {
  readonly id: Uuid;
  readonly attempt: AttemptKey;
  readonly decision: Decision;
  readonly told: Told | undefined;
}

/** When a job would start here, as it was forecast when this was decided of it. */
export interface Told {
  readonly startsIn: NonNullable<Basis['forecast']>['startsIn'];
  readonly at: Instant;
}

const toldOf = ({ at, basis }: Receipt): Told | undefined =>
  basis?.forecast === undefined ? undefined : { startsIn: basis.forecast.startsIn, at };

const notedOf = (r: Receipt): Noted => ({
  ...{ id: r.id, attempt: r.attempt, decision: r.decision, told: toldOf(r) },
});

export class Notebook {
  readonly #store: Pick<StorePort, 'lastDecisions' | 'seenAgain'>;
  readonly #cluster: ClusterName;
  #epoch = 0;
  /** `undefined`: the store was asked and has none. */
  #last = new Map<JobRef, Noted | undefined>();
  #again = new Map<Uuid, SeenAgain>();
  #toldAt: Instant | undefined;
  #turn = 0;

  constructor(store: Pick<StorePort, 'lastDecisions' | 'seenAgain'>, cluster: ClusterName) {
    this.#store = store;
    this.#cluster = cluster;
  }

  /** Opens the page of these jobs; whoever led in between may have decided otherwise, so a new epoch begins with what the store has. */
  async open(refs: readonly JobRef[], epoch: number): Promise<void> {
    const before = epoch === this.#epoch ? this.#last : new Map<JobRef, Noted | undefined>();
    const page = new Map<JobRef, Noted | undefined>();
    const unknown: JobRef[] = [];
    for (const ref of refs) {
      if (before.has(ref)) page.set(ref, before.get(ref));
      else unknown.push(ref);
    }
    for (let i = 0; i < unknown.length; i += askAtOnce) {
      const some = unknown.slice(i, i + askAtOnce);
      for (const ref of some) page.set(ref, undefined);
      // Each attempt of a job has its last; only the newest attempt's counts, and the store tells them in no order.
      const told = await this.#store.lastDecisions(this.#cluster, some);
      for (const r of [...told].sort((a, b) => a.at - b.at)) page.set(r.ref, notedOf(r));
    }
    this.#last = page;
    this.#epoch = epoch;
    this.#turn += 1;
  }

  /** Another number: what was decided last may be something else. */
  get turn(): number {
    return this.#turn;
  }

  /** What was decided of it last; undefined: it was not among those that this gateway decided on in its newest turn. */
  last(ref: JobRef): Decision | undefined {
    return this.#last.get(ref)?.decision;
  }

  /** What was forecast of it when that was decided; undefined: nothing was. */
  readonly forecast = (ref: JobRef): Told | undefined => this.#last.get(ref)?.told;

  /** Whether the same was decided last time, which is counted; else it is to be written. */
  again(ref: JobRef, attempt: AttemptKey, decision: Decision, at: Instant): boolean {
    const before = this.#last.get(ref);
    if (before === undefined || before.attempt !== attempt || !sameDecision(before.decision, decision))
      return false;
    const times = (this.#again.get(before.id)?.times ?? 0) + 1;
    this.#again.set(before.id, { times, last: at });
    return true;
  }

  /** These were written. */
  wrote(receipts: readonly Receipt[]): void {
    for (const r of receipts) this.#last.set(r.ref, notedOf(r));
    if (receipts.length > 0) this.#turn += 1;
  }

  /** What was written, or not, is not known: the store is asked anew. */
  forget(): void {
    this.#last = new Map();
    this.#turn += 1;
  }

  /** Tells the store what was counted, once in a while or `now`. What it could not take is counted on. */
  async tell(at: Instant, now = false): Promise<void> {
    this.#toldAt ??= at;
    if (this.#again.size === 0 || (!now && at - this.#toldAt < tellMs)) return;
    const again = this.#again;
    this.#again = new Map();
    this.#toldAt = at;
    try {
      await this.#store.seenAgain(again);
    } catch (e) {
      for (const [id, { times, last }] of again) {
        const more = this.#again.get(id);
        this.#again.set(id, {
          times: times + (more?.times ?? 0),
          last: instant(Math.max(last, more?.last ?? last)),
        });
      }
      throw e;
    }
  }
}
