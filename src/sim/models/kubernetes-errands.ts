/** What somebody has under way, by name: one of a name at a time, and all of it can be dropped. */
import type { Pace, Span } from './kubernetes-types.ts';

export class Errands {
  readonly #pace: Pace;
  readonly #open = new Map<string, { cancel(): void }>();

  constructor(pace: Pace) {
    this.#pace = pace;
  }

  has(what: string): boolean {
    return this.#open.has(what);
  }

  /** In place of one of that name. */
  run(what: string, span: Span, work: () => void): void {
    this.#open.get(what)?.cancel();
    const timer = this.#pace.after(span, () => {
      this.#open.delete(what);
      work();
    });
    this.#open.set(what, timer);
  }

  stopAllBut(kept?: string): void {
    for (const [what, timer] of this.#open) {
      if (what === kept) continue;
      timer.cancel();
      this.#open.delete(what);
    }
  }
}
