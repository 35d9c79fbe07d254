/** What one cluster's gateway knows of spot: prices as they were read last, pools that are left alone for a while, instances that are taken back. */
import type { SpotSeen } from '../decide/spot.ts';
import { faultOf } from '../domain/fault.ts';
import type { CloudId, InstanceId, Instant } from '../domain/ids.ts';
import type { CloudNotice, SpotPool, SpotPrice } from '../domain/instance.ts';
import type { NodeGroup } from '../domain/policy.ts';
import type { Clock, CloudPort } from '../ports.ts';
import type { Shortage } from './shortage.ts';

const everyMs = 5 * 60_000;
/** After a reading that failed. */
const againMs = 30_000;

export class Spot {
  readonly #groups: readonly NodeGroup[];
  readonly #cloud: CloudPort;
  readonly #clock: Clock;
  readonly #shortage: Shortage;
  #seen: SpotSeen;
  #triedAt: Instant | undefined;
  #interrupted = new Map<CloudId, Instant>();
  /** Taken back, and who is on them was not told yet. */
  readonly #untold = new Set<CloudId>();

  constructor(groups: readonly NodeGroup[], cloud: CloudPort, clock: Clock, shortage: Shortage) {
    this.#groups = groups.filter((g) => g.spot !== undefined);
    this.#cloud = cloud;
    this.#clock = clock;
    this.#shortage = shortage;
  }

  /** Whether anything is bought as spot. */
  get used(): boolean {
    return this.#groups.length > 0;
  }

  get seen(): SpotSeen {
    return this.#seen;
  }

  /** Reads the prices when their time has come. One reading that fails leaves the last, until that is too old [decide/spot.ts]. Throws what the port throws. */
  async read(): Promise<void> {
    const at = this.#clock.now();
    const wait = this.#seen?.ok === true && this.#seen.at === this.#triedAt ? everyMs : againMs;
    if (!this.used || (this.#triedAt !== undefined && at - this.#triedAt < wait)) return;
    this.#triedAt = at;
    const types = [...new Set(this.#groups.flatMap((g) => g.types))];
    const zones = [...new Set(this.#groups.flatMap((g) => g.zones))];
    try {
      this.#seen = { at, ok: true, value: await this.#cloud.spotPrices(types, zones, at) };
    } catch (e) {
      const text = e instanceof Error ? e.message : String(e);
      if (this.#seen?.ok !== true) this.#seen = { at, ok: false, fault: faultOf(e) ?? 'transient', text };
      throw e;
    }
  }

  /** All changes of one pool since then. */
  history(pool: SpotPool, from: Instant): Promise<readonly SpotPrice[]> {
    return this.#cloud.spotPrices([pool.type], [pool.zone], from);
  }

  /** Looks which are to be taken back; answers with those of which it is news. */
  async look(ours: ReadonlySet<CloudId>): Promise<readonly CloudId[]> {
    const news = this.take(await this.#cloud.interruptions(), ours);
    for (const id of this.#interrupted.keys()) if (!ours.has(id)) this.#interrupted.delete(id);
    return news;
  }

  /** Notes those of ours that are to be taken back; answers with those of which it is news. */
  take(told: readonly CloudId[], ours: ReadonlySet<CloudId>): readonly CloudId[] {
    const at = this.#clock.now();
    const news = told.filter((id) => ours.has(id) && !this.#interrupted.has(id));
    for (const id of news) this.#interrupted.set(id, at);
    return news;
  }

  /**
   * Tells of these, and of what could not be told before; of those that are not ours any more nobody is told. One that cannot be told keeps no other
   * waiting; throws the first fault when all were tried.
   */
  async tell(
    news: readonly CloudId[],
    ours: ReadonlyMap<CloudId, InstanceId>,
    wake: (id: InstanceId) => Promise<void>,
  ): Promise<void> {
    for (const id of news) this.#untold.add(id);
    const faults: unknown[] = [];
    for (const told of [...this.#untold]) {
      const id = ours.get(told);
      try {
        if (id !== undefined) await wake(id);
        this.#untold.delete(told);
      } catch (e) {
        faults.push(e);
      }
    }
    if (faults.length > 0) throw faults[0];
  }

  /** Whether the cloud tells by a queue besides. */
  get listens(): boolean {
    return this.used && this.#cloud.notices !== undefined;
  }

  /** Waits for what that tells next. Throws what the port throws. */
  async hear(stop: AbortSignal): Promise<readonly CloudNotice[]> {
    return (await this.#cloud.notices?.(stop)) ?? [];
  }

  /** Since when the cloud is known to take it back. */
  interrupted(id: CloudId): Instant | undefined {
    return this.#interrupted.get(id);
  }

  /** It took something back. */
  avoid(pool: SpotPool): void {
    this.#shortage.reclaimed(pool);
  }

  /** Had nothing a moment ago, or took something back. */
  avoided(): readonly SpotPool[] {
    const lacks = this.#shortage.lacks(this.#groups).filter(({ capacityType }) => capacityType === 'spot');
    return lacks.map(({ type, zone }) => ({ type, zone }));
  }
}
