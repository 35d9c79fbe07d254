/** Who coordinates which accounts, by the word of each cluster's own slurmdbd (docs/decisions/0054). */
import type { LogLine } from '../burst/context.ts';
import type { Coordinated } from '../domain/caller.ts';
import { faultOf } from '../domain/fault.ts';
import type { ClusterName } from '../domain/ids.ts';
import type { Scheduler, UsersPort } from '../ports.ts';

export interface CoordinatorsGiven {
  readonly clusters: readonly {
    readonly name: ClusterName;
    readonly users: Pick<UsersPort, 'coordinators'>;
  }[];
  readonly scheduler: Scheduler;
  /** Milliseconds that only go forward. */
  readonly elapsed: () => number;
  readonly log: (line: LogLine) => void;
}

/** From then on slurmdbd is asked again, while its word still holds: who asks all the time never waits for it. */
const askedAgainMs = 3 * 60_000;
/** Who is no coordinator any more sees what is his own alone after so long at most. */
const holdsMs = 5 * 60_000;
/** Where slurmdbd does not answer, its last word counts for so long; then nobody coordinates anything. */
const countsMs = 30 * 60_000;
/** So long is an answer waited for by whoever needs it; who comes later does not wait for the same one. */
const waitedMs = 3_000;
/** One that did not answer is let alone for so long. */
const letAloneMs = 60_000;

const nothing: ReadonlySet<string> = new Set();

/** One question to each slurmdbd for all users, and never one for each request. */
export class Coordinators {
  readonly #rolls: readonly Roll[];

  constructor(given: CoordinatorsGiven) {
    this.#rolls = given.clusters.map((cluster) => new Roll(cluster, given));
  }

  /** The accounts that he coordinates now, clusters without any left out. Never fails: where nobody can say, he has none. */
  async of(user: string): Promise<Coordinated> {
    const found = await Promise.all(
      this.#rolls.map(async (roll) => [roll.cluster, await roll.of(user)] as const),
    );
    return new Map(found.filter(([, accounts]) => accounts.size > 0));
  }
}

/** Of one cluster. */
class Roll {
  readonly cluster: ClusterName;
  readonly #users: Pick<UsersPort, 'coordinators'>;
  readonly #given: CoordinatorsGiven;
  /** What was told last, and when that was asked for. */
  #told: { readonly at: number; readonly by: ReadonlyMap<string, ReadonlySet<string>> } | undefined;
  #asking: { readonly at: number; readonly over: Promise<void> } | undefined;
  /** Since when it is let alone; undefined: it answered. */
  #failed: number | undefined;

  constructor({ name, users }: CoordinatorsGiven['clusters'][number], given: CoordinatorsGiven) {
    this.cluster = name;
    this.#users = users;
    this.#given = given;
  }

  async of(user: string): Promise<ReadonlySet<string>> {
    if (this.#age() >= askedAgainMs) this.#ask();
    if (this.#age() >= holdsMs && this.#asking !== undefined) await this.#answered(this.#asking);
    return this.#age() < countsMs ? (this.#told?.by.get(user) ?? nothing) : nothing;
  }

  #age(): number {
    return this.#told === undefined ? Number.POSITIVE_INFINITY : this.#given.elapsed() - this.#told.at;
  }

  #ask(): void {
    const at = this.#given.elapsed();
    if (this.#asking !== undefined) return;
    if (this.#failed !== undefined && at - this.#failed < letAloneMs) return;
    const over = this.#users
      .coordinators()
      .then(
        (by) => {
          this.#told = { at, by };
          this.#failed = undefined;
        },
        (e: unknown) => this.#failedBy(e),
      )
      .finally(() => {
        this.#asking = undefined;
      });
    this.#asking = { at, over };
  }

  /** Told once, not each minute: a site may have no slurmdbd at all. */
  #failedBy(e: unknown): void {
    const { elapsed, log } = this.#given;
    if (this.#failed === undefined)
      log({
        level: 'warn',
        text: `who coordinates accounts of ${this.cluster} cannot be asked: ${e instanceof Error ? e.message : String(e)}; coordinators see their own alone once the last answer is 30 minutes old`,
        cluster: this.cluster,
        fault: faultOf(e),
      });
    this.#failed = elapsed();
  }

  #answered({ at, over }: { readonly at: number; readonly over: Promise<void> }): Promise<void> {
    const { elapsed, scheduler } = this.#given;
    const left = at + waitedMs - elapsed();
    if (left <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      const late = scheduler.after(left, resolve);
      void over.then(() => {
        late.cancel();
        resolve();
      });
    });
  }
}
