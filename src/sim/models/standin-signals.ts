/** The signals of one stand-in: numbered, and each kept until it was applied (section 7). */
import type { Instant } from '../../domain/ids.ts';
import type { Clock } from '../../ports.ts';
import type { Told } from '../../stream/messages.ts';

/** More would be somebody's loop. */
const mostPending = 1_024;
/** So soon after a CONT, a signal that ends is meant for the whole job. */
const contThenEnd = 1_000;
const SIGCONT = 18;
/** HUP, INT, TERM. */
const ending = new Set([1, 2, 15]);

export class SignalQueue {
  readonly #clock: Clock;
  #pending: readonly Told<'SIGNAL'>[] = [];
  #last = 0;
  #contAt: Instant | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get pending(): readonly Told<'SIGNAL'>[] {
    return this.#pending;
  }

  /** For whom it is: Slurm ends a job by CONT and TERM, `scancel --batch` sends its signal alone. */
  scopeOf(signo: number): 'script' | 'all' {
    const now = this.#clock.now();
    if (signo === SIGCONT) this.#contAt = now;
    return ending.has(signo) && this.#contAt !== undefined && now - this.#contAt <= contThenEnd
      ? 'all'
      : 'script';
  }

  add(signo: number, scope: 'script' | 'all'): Told<'SIGNAL'> | undefined {
    if (this.#pending.length >= mostPending) return undefined;
    this.#last += 1;
    const signal: Told<'SIGNAL'> = { type: 'SIGNAL', id: `s${this.#last}`, signo, scope };
    this.#pending = [...this.#pending, signal];
    return signal;
  }

  applied(id: string): void {
    this.#pending = this.#pending.filter((s) => s.id !== id);
  }
}
