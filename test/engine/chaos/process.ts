/**
 * A gateway's process, as far as the world can tell: it dies in the midst of a call, it is stopped for minutes and goes on as if
 * nothing had been, and whatever it asks for goes through here.
 */
import { PortError } from '../../../src/domain/fault.ts';
import type { Clock, Scheduler } from '../../../src/ports.ts';
import type { FaultKind } from './scenario.ts';

/** What happens to one call: decided before it is made. */
export interface Fate {
  readonly fault: FaultKind | undefined;
  readonly die: 'before' | 'after' | undefined;
  readonly delayMs: number;
}

export interface Fates {
  /** `call` is `port.method`. Asked once for each call, in order. */
  next(call: string, process: SimProcess): Fate;
  /** The call of that process is where it dies. */
  died(process: SimProcess): void;
  /** For the history of a failing run. */
  saw(process: SimProcess, call: string, args: readonly unknown[], outcome: string): void;
}

type Method = (...args: readonly unknown[]) => unknown;

/** A launch of several is met by what is planned for a launch. */
const callOf = (port: string, method: string): string =>
  `${port}.${method === 'launchLot' ? 'launch' : method}`;

export class SimProcess {
  readonly name: string;
  readonly #time: Scheduler;
  readonly #now: () => number;
  readonly #fates: Fates;
  #state: 'up' | 'paused' | 'dead' = 'up';
  #held: (() => void)[] = [];

  constructor(name: string, time: Scheduler & Clock, fates: Fates) {
    this.#now = () => time.now();
    this.name = name;
    this.#time = time;
    this.#fates = fates;
  }

  get dead(): boolean {
    return this.#state === 'dead';
  }

  get running(): boolean {
    return this.#state === 'up';
  }

  kill(): void {
    this.#state = 'dead';
    this.#held = [];
  }

  pause(): void {
    if (this.#state === 'up') this.#state = 'paused';
  }

  /** When it went on last: what was asked just before it was stopped is asked now. */
  resumedAt: number | undefined;

  resume(): void {
    if (this.#state !== 'paused') return;
    this.#state = 'up';
    this.resumedAt = this.#now();
    for (const work of this.#held.splice(0)) this.does(work);
  }

  /** Timers of a stopped process come due when it goes on; those of a dead one never. */
  readonly scheduler: Scheduler = {
    after: (ms, work) => this.#time.after(ms, () => this.does(work)),
  };

  /** What comes from outside: a timer, an event, an answer. */
  does(work: () => void): void {
    if (this.#state === 'up') work();
    else if (this.#state === 'paused') this.#held.push(work);
  }

  #gate(): Promise<void> {
    if (this.#state === 'up') return Promise.resolve();
    if (this.#state === 'dead') return new Promise(() => undefined);
    return new Promise((resolve) => this.#held.push(resolve));
  }

  #wait(ms: number): Promise<void> {
    return ms <= 0 ? Promise.resolve() : new Promise((resolve) => this.#time.after(ms, resolve));
  }

  /** The port as this process reaches it. Only what answers with a promise can fail or be died in. */
  port<P extends object>(port: P, name: string, plain: readonly (keyof P)[] = []): P {
    return new Proxy(port, {
      get: (target, key) => {
        const value: unknown = Reflect.get(target, key, target);
        if (typeof value !== 'function' || plain.includes(key as keyof P) || key === 'close') {
          return typeof value === 'function' ? value.bind(target) : value;
        }
        const method = value as Method;
        return (...args: readonly unknown[]) =>
          this.#call(callOf(name, String(key)), () => Promise.resolve(method.apply(target, [...args])), args);
      },
    });
  }

  async #call(call: string, invoke: () => Promise<unknown>, args: readonly unknown[]): Promise<unknown> {
    await this.#gate();
    const fate = this.#fates.next(call, this);
    if (fate.die === 'before') return this.#die(call, args, 'before');
    const told = (outcome: string): void => this.#fates.saw(this, call, args, outcome);
    const { fault } = fate;
    // A slow call is slow on its way there or on its way back: decided by its own length.
    const late = fate.delayMs + (fault === 'slow' ? 25_000 : 0);
    const there = late % 2 === 0 ? late : 0;
    // What is on its way arrives, whatever becomes of who sent it.
    await this.#wait(there);
    if (fault === 'transient' || fault === 'unreachable') {
      await this.#gate();
      told(fault);
      throw new PortError(fault, call, `planned: ${fault}`);
    }
    if (fault === 'unsent') {
      await this.#gate();
      told('unsent');
      throw new PortError('unknown', call, 'planned: no answer, nothing was done');
    }
    let answer: unknown;
    let failed: unknown;
    let threw = false;
    try {
      answer = await invoke();
    } catch (e) {
      threw = true;
      failed = e;
    }
    if (this.dead)
      this.#fates.saw(this, call, args, threw ? 'failed after its death' : 'happened after its death');
    if (fate.die === 'after') return this.#die(call, args, 'after');
    await this.#wait(late - there);
    await this.#gate();
    if (fault === 'lost' && !threw) {
      told('done, answer lost');
      throw new PortError('unknown', call, 'planned: done, and the answer was lost');
    }
    if (threw) {
      told(failed instanceof PortError ? failed.fault : `threw ${String(failed)}`);
      throw failed;
    }
    told('ok');
    return answer;
  }

  #die(call: string, args: readonly unknown[], when: string): Promise<never> {
    this.#fates.saw(this, call, args, `DIED ${when}`);
    this.kill();
    this.#fates.died(this);
    return new Promise<never>(() => undefined);
  }
}
