/** The script under process 1: one that only acts, and one that somebody really runs. */
import type { Usage } from '../../domain/burst.ts';
import type { Instant } from '../../domain/ids.ts';
import type { Clock, Scheduler } from '../../ports.ts';
import { mostInFrame, type OutputChannel } from './far-link.ts';
import type { Spool } from './keeper-spool.ts';
import {
  type Behaviour,
  type Order,
  outputOf,
  patternAt,
  type Runner,
  type ScriptExit,
} from './keeper-work.ts';

export type Scope = 'script' | 'steps' | 'full' | 'all';
export type Spools = Readonly<Record<OutputChannel, Spool>>;

export interface Report {
  readonly exit: ScriptExit;
  readonly usage?: Usage | undefined;
  /** Why no script ran. */
  readonly reason?: string | undefined;
}

export const SIGKILL = 9;
const SIGPIPE = 13;
export const SIGTERM = 15;
export const SIGCONT = 18;
const endingSignals = new Set([1, 2, SIGTERM]);
/** CHLD, CONT, STOP, TSTP, TTIN, TTOU, URG, WINCH: what they do to a process by default does not end it. */
const harmless = new Set([17, 18, 19, 20, 21, 22, 23, 28]);

export interface Script {
  run(): void;
  signal(signo: number, scope: Scope): void;
  /** Nobody reads what it writes any more. */
  alone(): void;
  /** It is over, whatever it still does. */
  stop(): void;
}

/** Time, bytes of the pattern, and an end. */
export class ActedScript implements Script {
  readonly #behaviour: Behaviour;
  readonly #left: Record<OutputChannel, number>;
  readonly #at: Record<OutputChannel, number> = { 1: 0, 2: 0 };
  readonly #spools: Spools;
  readonly #needs: { readonly clock: Clock; readonly scheduler: Scheduler };
  readonly #ended: (report: Report) => void;
  readonly #piece: number;
  #pause = 0;
  #turn: OutputChannel = 2;
  #timer: { cancel(): void } | undefined;
  #since: Instant;
  #alone = false;
  #over = false;

  constructor(
    behaviour: Behaviour,
    join: boolean,
    spools: Spools,
    needs: { readonly clock: Clock; readonly scheduler: Scheduler },
    ended: (report: Report) => void,
  ) {
    this.#behaviour = behaviour;
    this.#left = { ...outputOf(behaviour, join) };
    this.#spools = spools;
    this.#needs = needs;
    this.#ended = ended;
    this.#piece = Math.max(1, Math.min(behaviour.write ?? mostInFrame, mostInFrame));
    this.#since = needs.clock.now();
  }

  run(): void {
    const writes = Math.ceil(this.#left[1] / this.#piece) + Math.ceil(this.#left[2] / this.#piece);
    this.#pause = Math.floor(this.#behaviour.ms / Math.max(1, writes));
    this.#step();
  }

  signal(signo: number): void {
    if (this.#over) return;
    const { onTerm = 'die' } = this.#behaviour;
    if (signo === SIGKILL) this.#end({ signal: SIGKILL });
    else if (onTerm === 'exit0' && endingSignals.has(signo)) this.#end({ code: 0 });
    else if (onTerm === 'die' && !harmless.has(signo)) this.#end({ signal: signo });
  }

  alone(): void {
    this.#alone = true;
  }

  stop(): void {
    this.#over = true;
    this.#timer?.cancel();
  }

  /** A write, a pause, and so on; what is left of its time after the last write, and the end. */
  #step(): void {
    if (this.#over) return;
    const channel = this.#whose();
    if (channel === undefined) {
      const left = this.#since + this.#behaviour.ms - this.#needs.clock.now();
      if (left <= 0) this.#end(this.#behaviour.exit ?? { code: 0 });
      else this.#timer = this.#needs.scheduler.after(left, () => this.#step());
      return;
    }
    if (this.#alone) {
      this.#end({ signal: SIGPIPE });
      return;
    }
    const n = Math.min(this.#piece, this.#left[channel]);
    const bytes = patternAt(this.#behaviour.salt ?? 0, channel, this.#at[channel], n);
    this.#left[channel] -= n;
    this.#at[channel] += n;
    this.#spools[channel].write(bytes, (kept) => {
      if (this.#over) return;
      if (kept) this.#timer = this.#needs.scheduler.after(this.#pause, () => this.#step());
      else this.#end({ signal: SIGPIPE });
    });
  }

  #whose(): OutputChannel | undefined {
    const other = this.#turn === 1 ? 2 : 1;
    if (this.#left[other] > 0) this.#turn = other;
    return this.#left[this.#turn] > 0 ? this.#turn : undefined;
  }

  #end(exit: ScriptExit): void {
    this.stop();
    // A write(2) that waits is cut short by the signal, and what it had not given is lost.
    for (const spool of [this.#spools[1], this.#spools[2]]) spool.interrupt();
    const ran = this.#needs.clock.now() - this.#since;
    const usage = this.#behaviour.usage ?? {
      userMs: Math.floor(ran * 0.9),
      systemMs: Math.floor(ran * 0.05),
      maxRssBytes: 64 * 1024 * 1024,
    };
    this.#ended({ exit, usage });
  }
}

/** No script: main of a node above rank 0, which waits for the job's other pods and ends by TERM. */
export class WaitingScript implements Script {
  readonly #ended: (report: Report) => void;
  #over = false;

  constructor(ended: (report: Report) => void) {
    this.#ended = ended;
  }

  run(): void {}

  signal(signo: number): void {
    if (this.#over || harmless.has(signo)) return;
    this.#over = true;
    this.#ended({ exit: { signal: signo } });
  }

  alone(): void {}

  stop(): void {
    this.#over = true;
  }
}

export class RunScript implements Script {
  readonly #runner: Runner;
  readonly #order: Order;
  readonly #spools: Spools;
  readonly #ended: (report: Report) => void;
  readonly #listeners: ((signo: number, scope: Scope) => void)[] = [];
  readonly #early: [number, Scope][] = [];
  #alone = false;
  #over = false;

  constructor(runner: Runner, order: Order, spools: Spools, ended: (report: Report) => void) {
    this.#runner = runner;
    this.#order = order;
    this.#spools = spools;
    this.#ended = ended;
  }

  run(): void {
    const io = {
      write: (channel: OutputChannel, bytes: Uint8Array) => this.#write(channel, Buffer.from(bytes)),
      signals: (listener: (signo: number, scope: Scope) => void) => {
        this.#listeners.push(listener);
        for (const [signo, scope] of this.#early.splice(0)) listener(signo, scope);
      },
    };
    // Also what it throws at once is a rejection.
    new Promise<Awaited<ReturnType<Runner>>>((resolve) => resolve(this.#runner(this.#order, io))).then(
      ({ usage, ...exit }) => this.#settle({ exit, usage }),
      (e: unknown) => this.#failed(e instanceof Error ? e.message : String(e)),
    );
  }

  signal(signo: number, scope: Scope): void {
    if (this.#listeners.length === 0) this.#early.push([signo, scope]);
    for (const listener of this.#listeners) listener(signo, scope);
  }

  alone(): void {
    this.#alone = true;
  }

  stop(): void {
    if (this.#over) return;
    this.#over = true;
    this.signal(SIGKILL, 'all');
  }

  #write(channel: OutputChannel, bytes: Buffer): Promise<void> {
    const to = this.#order.join ? 1 : channel;
    return new Promise((resolve, reject) => {
      const broken = (): void => reject(new Error('EPIPE: nobody reads this output any more'));
      if (this.#over || this.#alone) broken();
      else this.#spools[to].write(bytes, (kept) => (kept ? resolve() : broken()));
    });
  }

  #failed(why: string): void {
    if (this.#over) return;
    const text = Buffer.from(`slurmstepd: error: ${why}\n`);
    this.#spools[this.#order.join ? 1 : 2].write(text, () => undefined);
    this.#settle({ exit: { code: 1 }, reason: `the script was not started: ${why}` });
  }

  #settle(report: Report): void {
    if (this.#over) return;
    this.#over = true;
    this.#ended(report);
  }
}
