import type { Anchor } from '../domain/anchor.ts';
import type { AnchorPort, Retention, Scheduler, WitnessPort } from '../ports.ts';

export interface AnchorsGiven {
  readonly anchors: AnchorPort;
  readonly witness: WitnessPort;
  readonly retention: Retention;
  readonly scheduler: Scheduler;
  readonly log: (line: { readonly level: 'info' | 'warn' | 'error'; readonly text: string }) => void;
}

const everyMs = 10_000;
const pruneEveryMs = 10 * 60_000;
/** Batches in a row; then others have their turn. */
const batches = 50;
/** Anchors that are exported at a time. */
const page = 1_000;

/**
 * Every ten seconds an anchor over what moved, and each anchor to the witness outside of the store. Each round begins with the witness:
 * an anchor that stands there and that the store does not know says that the store is older than what was done with it. So the first
 * round is awaited before anything else is done.
 */
export class Anchors {
  readonly #given: AnchorsGiven;
  readonly #timers = new Map<string, { cancel(): void }>();
  readonly #busy = new Set<Promise<void>>();
  #stopped = false;

  constructor(given: AnchorsGiven) {
    this.#given = given;
  }

  /** Resolves once store and witness agree, or the store recovers. Throws where that cannot be told. */
  async start(): Promise<void> {
    await this.#compare();
    this.#every('anchor', everyMs, () => this.round());
    this.#every('retention', pruneEveryMs, () => this.#prune());
  }

  /** Waits for what is under way, and takes in what moved last. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const timer of this.#timers.values()) timer.cancel();
    await Promise.allSettled(this.#busy);
    await this.round().catch((e: unknown) => this.#complain('anchor', e));
  }

  async round(): Promise<void> {
    const { anchors, witness } = this.#given;
    let last = await this.#compare();
    for (let more = true; more; ) more = (await anchors.anchor())?.more === true;
    for (;;) {
      const made = await anchors.after(last?.seq ?? 0, page);
      if (made.length === 0) return;
      await witness.append(made);
      last = made.at(-1);
    }
  }

  async #compare(): Promise<Anchor | undefined> {
    const { anchors, witness, log } = this.#given;
    const last = await witness.last();
    if (last !== undefined && !(await anchors.knows(last))) {
      log({
        level: 'warn',
        text: `anchor ${last.seq} was exported and is not in the store: the store is older than what was done with it, and recovers`,
      });
      await anchors.olderThan(last);
    }
    return last;
  }

  async #prune(): Promise<void> {
    for (let i = 0; i < batches && !this.#stopped; i++)
      if (!(await this.#given.anchors.prune(this.#given.retention))) return;
  }

  #every(name: string, ms: number, work: () => Promise<void>): void {
    const go = (): void => {
      const run = work()
        .catch((e: unknown) => this.#complain(name, e))
        .finally(() => {
          this.#busy.delete(run);
          if (!this.#stopped) this.#timers.set(name, this.#given.scheduler.after(ms, go));
        });
      this.#busy.add(run);
    };
    go();
  }

  #complain(name: string, e: unknown): void {
    this.#given.log({ level: 'warn', text: `${name}: ${e instanceof Error ? e.message : String(e)}` });
  }
}
