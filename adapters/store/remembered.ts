/** What was read of rows that never change under their hash: checked against the schema once, not each time that somebody lists them. */
export class Remembered<T> {
  readonly #most: number;
  readonly #known = new Map<string, T>();

  constructor(most: number) {
    this.#most = most;
  }

  /** Undefined: it has to be read. `hash` covers all that is read of the row. */
  known(hash: string): T | undefined {
    const known = this.#known.get(hash);
    if (known === undefined) return undefined;
    // Asked for again: the last to go.
    this.#known.delete(hash);
    this.#known.set(hash, known);
    return known;
  }

  keep(hash: string, made: T): T {
    this.#known.set(hash, made);
    const [oldest] = this.#known.keys();
    if (this.#known.size > this.#most && oldest !== undefined) this.#known.delete(oldest);
    return made;
  }
}
