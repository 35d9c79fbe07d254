/** Events of the store, to the site's own addresses: each at least once, whichever gateway dies meanwhile. */
import { faultOf } from '../domain/fault.ts';
import type { Instant, Uuid } from '../domain/ids.ts';
import { orderId } from '../domain/order.ts';
import type { Page, Paged } from '../domain/page.ts';
import {
  type DeadDelivery,
  type Delivery,
  type HookFilter,
  type HookKind,
  retryMs,
  wants,
} from '../domain/webhook.ts';
import type { AuditEvent, DeskPort, HookCounts, HookPort, OutboxPort, Scheduler } from '../ports.ts';

export interface Hook extends HookFilter {
  readonly name: string;
  /** As it is shown; without its query, in which a secret may stand. */
  readonly url: string;
  readonly port: HookPort;
  /** Of one try. */
  readonly timeoutMs: number;
  /** A delivery that is tried for so long is given up. */
  readonly giveUpMs: number;
}

/** An event as it is sent. */
export interface HookEvent {
  readonly event: string;
  readonly kind: HookKind;
  readonly to: string;
  readonly body: string;
}

export interface HookState extends Omit<HookCounts, 'hook'> {
  readonly name: string;
  readonly url: string;
}

export interface OutboxGiven {
  readonly hooks: readonly Hook[];
  readonly outbox: OutboxPort;
  readonly desk: Pick<DeskPort, 'events' | 'generation' | 'now'>;
  readonly scheduler: Scheduler;
  readonly newId: () => Uuid;
  /** In the words of the API; `generation` is part of the event's id. */
  readonly told: (event: AuditEvent, generation: Uuid) => HookEvent;
  readonly reset: (generation: Uuid, at: Instant) => HookEvent;
  readonly log: (line: { readonly level: 'info' | 'warn' | 'error'; readonly text: string }) => void;
}

const everyMs = 1_000;
const atOnce = 500;
/** Of one hook at a time: a receiver that is back after a night is not overrun. */
const sentAtOnce = 4;
/** What is under way then is sent again by whoever claims it next. */
const stopWithinMs = 5_000;
/** Beyond it nothing is put in: what happens meanwhile stays where it is, in the audit. */
const mostWaiting = 10_000;

/** Hooks are apart: one whose receiver is away keeps no other waiting. */
export class Outbox {
  readonly #given: OutboxGiven;
  readonly #timers = new Map<string, { cancel(): void }>();
  readonly #busy = new Set<Promise<void>>();
  /** Each is told once, until one is taken again. */
  readonly #failing = new Set<string>();
  readonly #givenUp = new Set<string>();
  /** Told once, until a round comes to its end: a store may be away for hours. */
  readonly #troubled = new Set<string>();
  #stopped = false;

  constructor(given: OutboxGiven) {
    this.#given = given;
  }

  start(): void {
    for (const hook of this.#given.hooks) this.#soon(hook, 0);
  }

  /** Waits for what is under way, and not for a receiver that takes its time: leases are given back behind this. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const timer of this.#timers.values()) timer.cancel();
    let late: { cancel(): void } | undefined;
    const over = new Promise<void>((resolve) => {
      late = this.#given.scheduler.after(stopWithinMs, resolve);
    });
    await Promise.race([Promise.allSettled(this.#busy), over]);
    late?.cancel();
  }

  async states(): Promise<readonly HookState[]> {
    const counts = new Map((await this.#given.outbox.counts()).map(({ hook, ...c }) => [hook, c]));
    const none = { waiting: 0, dead: 0, oldestAt: undefined, why: undefined };
    return this.#given.hooks.map(({ name, url }) => ({ name, url, ...(counts.get(name) ?? none) }));
  }

  dead = (hook: string | undefined, page: Page): Promise<Paged<DeadDelivery>> =>
    this.#given.outbox.dead(hook, page);

  /** Sent anew, which stands in the audit with what becomes of it. False: no such delivery was given up. */
  again(id: Uuid, by: string, why: string): Promise<boolean> {
    const what = `send delivery ${id} anew${why === '' ? '' : `, since ${why}`}`;
    return this.#given.outbox.again(id, { id: orderId(this.#given.newId()), by, what });
  }

  /** True: there is more to do at once. */
  async round(hook: Hook): Promise<boolean> {
    const filled = await this.#fill(hook);
    return (await this.#send(hook)) || filled;
  }

  async #fill(hook: Hook): Promise<boolean> {
    const { outbox, desk, told, reset } = this.#given;
    const generation = await desk.generation();
    const place = await outbox.place(hook.name, (await desk.events(undefined, 1)).next);
    if (place.generation !== generation) {
      // What came before the store that is there now is told by none of its marks.
      const { next } = await desk.events(undefined, 1);
      const { event, body } = reset(generation, await desk.now());
      return outbox.advance(hook.name, place, { generation, mark: next }, [{ event, body }]);
    }
    const { rows, next } = await desk.events(place.mark, atOnce);
    if (rows.length === 0 || (await outbox.waiting(hook.name, mostWaiting)) >= mostWaiting) return false;
    const news = rows
      .map((row) => told(row, generation))
      .filter((t) => wants(hook, t))
      .map(({ event, body }) => ({ event, body }));
    await outbox.advance(hook.name, place, { generation, mark: next }, news);
    return rows.length === atOnce;
  }

  async #send(hook: Hook): Promise<boolean> {
    // Ours until each of them has had its time; a gateway that dies leaves them to the others.
    const claimed = await this.#given.outbox.claim(hook.name, sentAtOnce, hook.timeoutMs + 30_000);
    const ends = await Promise.allSettled(claimed.map((delivery) => this.#one(hook, delivery)));
    // Only now: the others are still this round's, which a stop waits for.
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
    return claimed.length === sentAtOnce;
  }

  async #one(hook: Hook, { id, event, body, tries, firstAt }: Delivery): Promise<void> {
    const { outbox, desk, log } = this.#given;
    const at = await desk.now();
    const said = await hook.port.send(event, body, at).catch((e: unknown) => {
      if (faultOf(e) === undefined) throw e;
      return { kind: 'refused' as const, why: (e as Error).message, retryAfterMs: undefined };
    });
    if (said.kind === 'taken') {
      this.#givenUp.delete(hook.name);
      if (this.#failing.delete(hook.name))
        log({ level: 'info', text: `webhook ${hook.name}: takes events again` });
      return outbox.delivered(id);
    }
    const why = inOneLine(said.why);
    if (!this.#failing.has(hook.name)) {
      this.#failing.add(hook.name);
      log({ level: 'warn', text: `webhook ${hook.name}: ${why}; it is tried again` });
    }
    const againMs = retryMs(tries + 1, said.retryAfterMs);
    const over = at + againMs - firstAt > hook.giveUpMs;
    if (over && !this.#givenUp.has(hook.name)) {
      this.#givenUp.add(hook.name);
      log({
        level: 'error',
        text: `webhook ${hook.name}: event ${event} is given up, as others may be (GET /api/v1/webhooks/dead): ${why}`,
      });
    }
    return outbox.failed(id, why, over ? undefined : againMs);
  }

  #soon(hook: Hook, ms: number): void {
    if (this.#stopped) return;
    this.#timers.set(
      hook.name,
      this.#given.scheduler.after(ms, () => this.#run(hook)),
    );
  }

  #run(hook: Hook): void {
    let more = false;
    const run = this.round(hook)
      .then((found) => {
        more = found;
        this.#troubled.delete(hook.name);
      })
      .catch((e: unknown) => {
        if (this.#stopped || this.#troubled.has(hook.name)) return;
        this.#troubled.add(hook.name);
        this.#given.log({
          level: 'warn',
          text: `webhook ${hook.name}: ${e instanceof Error ? e.message : String(e)}`,
        });
      })
      .finally(() => {
        this.#busy.delete(run);
        this.#soon(hook, more ? 0 : everyMs);
      });
    this.#busy.add(run);
  }
}

/** A certificate's words, for one, are the receiver's: no NUL for the store, no line of its own for the log. */
const inOneLine = (why: string): string => why.replace(/\p{Cc}+/gu, ' ').slice(0, 500);
