/** A list that comes in pages, so that nobody needs memory for more than one of them. */
export interface Listing<T> {
  readonly found: readonly T[];
  /** From where the next page goes on, whatever was taken away meanwhile; undefined: there is none. */
  readonly next: string | undefined;
}

/** All of it, a page at a time. */
export async function* listed<T>(page: (from: string | undefined) => Promise<Listing<T>>): AsyncGenerator<T> {
  for (let from: string | undefined, more = true; more; ) {
    const { found, next } = await page(from);
    yield* found;
    from = next;
    more = next !== undefined;
  }
}
