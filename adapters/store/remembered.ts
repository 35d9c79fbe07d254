/** What was read of rows that never change under their hash: checked against the schema once, not each time that somebody lists them. */
export class Remembered<T> {
  readonly #most: number;
  readonly #known = new Map<string, T>();

  constructor(most: number) {
    this.#most = most;
  }

  /** `hash` covers all that `make` reads. */
  get(hash: string, make: () => T): T {
    const known = this.#known.get(hash);
    if (known !== undefined) {
      // Asked for again: the last to go.
      this.#known.delete(hash);
      this.#known.set(hash, known);
      return known;
    }
    const made = make();
    this.#known.set(hash, made);
    if (this.#known.size > this.#most)
      for (const oldest of this.#known.keys()) return this.#drop(oldest, made);
    return made;
  }

  #drop(oldest: string, made: T): T {
    this.#known.delete(oldest);
    return made;
  }
}
