import { useCallback, useEffect, useRef, useState } from 'react';
import { get, Problem } from './ask.ts';
import { behindOf } from './behind.ts';
import { useData } from './data.ts';

/** A list as far as it was loaded: its first page stays fresh, those behind it were loaded when they were scrolled to. */
export interface Listed<T, A> {
  readonly rows: readonly T[];
  /** The first page's answer. */
  readonly first: A | undefined;
  readonly at: number | undefined;
  readonly problem: Problem | undefined;
  readonly more: boolean;
  loadMore(): void;
}

type Answer<K extends string, T> = { readonly [P in K]: readonly T[] } & { readonly next?: string };

interface Behind<T> {
  readonly of: string;
  readonly rows: readonly T[];
  readonly next: string | undefined;
}

export const pageRows = 500;

/** `path` has a question mark or none; limit and cursor are added. `keyOf` tells rows apart: one that moved up is not shown twice. */
export function useList<K extends string, T, A extends Answer<K, T> = Answer<K, T>>(
  key: K,
  path: string | undefined,
  keyOf: (row: T) => string,
  everyMs = 10_000,
): Listed<T, A> {
  const base = path === undefined ? undefined : `${path}${path.includes('?') ? '&' : '?'}limit=${pageRows}`;
  const first = useData<A>(base, everyMs);
  const [behind, setBehind] = useState<Behind<T>>();
  const [problem, setProblem] = useState<Problem>();
  const loading = useRef<string | undefined>(undefined);
  const newestRows = useRef<readonly T[]>([]);
  newestRows.current = first.value?.[key] ?? [];
  const own = behind !== undefined && behind.of === base ? behind : undefined;
  const cursor = own === undefined ? first.value?.next : own.next;
  // Another question: what is still loading for the old one is dropped.
  useEffect(() => {
    loading.current = undefined;
    setProblem(undefined);
    if (base !== undefined) setBehind((b) => (b?.of === base ? b : undefined));
  }, [base]);
  const loadMore = useCallback(() => {
    if (base === undefined || cursor === undefined || loading.current === cursor) return;
    loading.current = cursor;
    get<A>(`${base}&cursor=${encodeURIComponent(cursor)}`)
      .then((answer) => {
        if (loading.current !== cursor) return;
        setBehind((b) => ({
          of: base,
          // With the first page as it is now: what new rows push out of it later is not lost.
          rows: [...(b?.of === base ? b.rows : newestRows.current), ...answer[key]],
          next: answer.next,
        }));
      })
      .catch((e: unknown) => {
        if (loading.current !== cursor) return;
        loading.current = undefined;
        setProblem(e instanceof Problem ? e : new Problem(0, 'failed', String(e)));
      });
  }, [base, cursor, key]);
  const newest = first.value?.[key] ?? [];
  const rest = behindOf(newest, own?.rows ?? [], keyOf);
  return {
    rows: rest.length === 0 ? newest : [...newest, ...rest],
    ...{ first: first.value, at: first.at, problem: first.problem ?? problem },
    ...{ more: cursor !== undefined, loadMore },
  };
}
