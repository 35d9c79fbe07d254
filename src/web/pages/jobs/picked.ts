import { useEffect, useState } from 'react';
import type { QueueJobView } from '../../../api/portal-schemas.ts';

export const keyOf = (job: QueueJobView): string => `${job.cluster}/${job.job}`;

/** Jobs that were chosen, to do something with all of them. */
export interface Picked {
  readonly rows: readonly QueueJobView[];
  /** The keys of those that the list does not have any more: nothing is known of them but what they were. */
  readonly gone: ReadonlySet<string>;
  has(key: string): boolean;
  toggle(row: QueueJobView): void;
  choose(rows: readonly QueueJobView[]): void;
  drop(keys: ReadonlySet<string>): void;
}

const nothing: ReadonlyMap<string, QueueJobView> = new Map();

/** As the list has them now, else as they were when they were chosen. Another question begins with none: nobody acts on what he does not see. */
export function usePicked(question: string, loaded: readonly QueueJobView[] | undefined): Picked {
  const [chosen, setChosen] = useState(nothing);
  useEffect(() => {
    if (question !== undefined) setChosen(nothing);
  }, [question]);
  const newest = chosen.size === 0 ? nothing : new Map(loaded?.map((row) => [keyOf(row), row]));
  return {
    rows: [...chosen].map(([key, row]) => newest.get(key) ?? row),
    gone: new Set(loaded === undefined ? [] : [...chosen.keys()].filter((key) => !newest.has(key))),
    has: (key) => chosen.has(key),
    toggle: (row) =>
      setChosen((before) => {
        const next = new Map(before);
        if (!next.delete(keyOf(row))) next.set(keyOf(row), row);
        return next;
      }),
    choose: (rows) => setChosen(new Map(rows.map((row) => [keyOf(row), row]))),
    drop: (keys) => setChosen((before) => new Map([...before].filter(([key]) => !keys.has(key)))),
  };
}
