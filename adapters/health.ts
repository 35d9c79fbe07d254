import type { Instant } from '../src/domain/ids.ts';
import type { Clock } from '../src/ports.ts';

interface Last {
  readonly ok: boolean;
  readonly text: string;
  readonly at: Instant;
}

/**
 * What the last call of each port said, for /readyz. A far side that answered, be it with a refusal, is there; only a fault of
 * reaching it counts as away.
 */
export class Health {
  readonly #last = new Map<string, Last>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  note(port: string, ok: boolean, text: string): void {
    this.#last.set(port, { ok, text, at: this.#clock.now() });
  }

  asked(port: string): boolean {
    return this.#last.has(port);
  }

  check(port: string): {
    readonly name: string;
    readonly ok: boolean;
    readonly text: string;
    readonly at: Instant | undefined;
  } {
    const last = this.#last.get(port);
    if (last === undefined) return { name: port, ok: false, text: 'not asked yet', at: undefined };
    return { name: port, ok: last.ok, text: last.text, at: last.at };
  }
}
