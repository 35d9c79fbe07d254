/** Of what was loaded before, the rows behind the newest page: what left that page's stretch has left the list. */
export function behindOf<T>(
  newest: readonly T[],
  loaded: readonly T[],
  keyOf: (row: T) => string,
): readonly T[] {
  const last = newest.at(-1);
  const at = last === undefined ? -1 : loaded.findIndex((row) => keyOf(row) === keyOf(last));
  if (at >= 0) return loaded.slice(at + 1);
  const known = new Set(newest.map(keyOf));
  return loaded.filter((row) => !known.has(keyOf(row)));
}
