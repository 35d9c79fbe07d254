/** A pending array as Slurm writes what is left of it. */
export interface ArrayTasks {
  /** Ascending, at most as many as were asked for. */
  readonly indices: readonly number[];
  /** How many of its tasks may run at once; undefined = all. */
  readonly throttle: number | undefined;
}

const none: ArrayTasks = { indices: [], throttle: undefined };

/**
 * The first `limit` tasks of `3-9,12%2` or `0-20:5`. Slurm cuts long lists short with `...` unless told otherwise: what follows
 * the cut is not known and not guessed. A text that is none of this has no tasks.
 */
export function expandArray(text: string, limit: number): ArrayTasks {
  const [, list = '', max] = /^\[?([^%\]]*)(?:%(\d+))?\]?$/.exec(text) ?? [];
  const indices: number[] = [];
  for (const part of list.split(',')) {
    if (part === '...') break;
    const [, first, last, step] = /^(\d{1,9})(?:-(\d{1,9})(?::(\d{1,9}))?)?(?:\.\.\.)?$/.exec(part) ?? [];
    if (first === undefined) return none;
    // A number at the cut may have lost its last digits.
    if (part.endsWith('...')) break;
    const by = Number(step ?? 1);
    if (by < 1) return none;
    for (let i = Number(first); i <= Number(last ?? first) && indices.length < limit; i += by)
      indices.push(i);
  }
  return {
    indices: indices.sort((a, b) => a - b),
    throttle: max === undefined || max === '0' ? undefined : Number(max),
  };
}
