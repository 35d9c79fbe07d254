import { useCallback, useEffect, useSyncExternalStore } from 'react';
import { get, Problem } from './ask.ts';
import { after, now } from './browser.ts';
import { gatherMs, paceOf } from './touched.ts';

/** What an address of the API answered last, when, and what was wrong since: an old answer is shown, with its age, until there is a new one. */
export interface Answer<T> {
  readonly value: T | undefined;
  /** Milliseconds since 1970. */
  readonly at: number | undefined;
  readonly problem: Problem | undefined;
}

interface Entry {
  answer: Answer<unknown>;
  readonly listeners: Set<() => void>;
  everyMs: number;
  asking: boolean;
  again: boolean;
  soon: (() => void) | undefined;
}

const entries = new Map<string, Entry>();
const nothing: Answer<never> = { value: undefined, at: undefined, problem: undefined };
/** Of addresses that nobody looks at. */
const forgottenAbove = 60;

let onProblem: (problem: Problem) => void = () => undefined;
/** Told of every refusal: the shell asks for a token when one is missing. */
export function hearProblems(listener: (problem: Problem) => void): void {
  onProblem = listener;
}

function entryOf(path: string): Entry {
  const known = entries.get(path);
  if (known !== undefined) return known;
  for (const [name, e] of entries) {
    if (entries.size < forgottenAbove) break;
    if (e.listeners.size === 0) entries.delete(name);
  }
  const entry: Entry = {
    ...{ answer: nothing, listeners: new Set<() => void>(), everyMs: Number.POSITIVE_INFINITY },
    ...{ asking: false, again: false, soon: undefined },
  };
  entries.set(path, entry);
  return entry;
}

function plan(path: string, entry: Entry, ms: number): void {
  entry.soon?.();
  entry.soon = Number.isFinite(ms) ? after(ms, () => void ask(path, entry)) : undefined;
}

async function ask(path: string, entry: Entry): Promise<void> {
  if (entry.asking) {
    entry.again = true;
    return;
  }
  entry.asking = true;
  entry.again = false;
  try {
    entry.answer = { value: await get(path), at: now(), problem: undefined };
  } catch (e) {
    const problem = e instanceof Problem ? e : new Problem(0, 'failed', String(e));
    entry.answer = { ...entry.answer, problem };
    onProblem(problem);
  }
  entry.asking = false;
  for (const listener of entry.listeners) listener();
  if (entry.listeners.size > 0) plan(path, entry, entry.again ? paceOf(path) : entry.everyMs);
}

/** Asks again for all that is being looked at, at once. */
export function refresh(): void {
  for (const [path, entry] of entries) {
    if (entry.listeners.size === 0) entries.delete(path);
    else if (entry.asking) entry.again = true;
    else plan(path, entry, 0);
  }
}

/** Asks again for what is being looked at and fits, each as soon as it may be. */
export function heard(fits: (path: string) => boolean): void {
  for (const [path, entry] of entries) {
    if (!fits(path)) continue;
    if (entry.listeners.size === 0) entries.delete(path);
    else if (entry.asking) entry.again = true;
    else {
      const due = (entry.answer.at ?? 0) + paceOf(path);
      plan(path, entry, Math.max(gatherMs, due - now()));
    }
  }
}

/** Another caller sees other things. */
export function forgetAll(): void {
  for (const [path, entry] of entries) {
    entry.answer = nothing;
    if (entry.listeners.size === 0) entries.delete(path);
  }
  refresh();
}

/** What this address answers, kept fresh by the events, and every so often where there are none for it. Undefined: nothing is asked. */
export function useData<T>(path: string | undefined, everyMs = 30_000): Answer<T> {
  const subscribe = useCallback(
    (listener: () => void) => {
      if (path === undefined) return () => undefined;
      const entry = entryOf(path);
      entry.listeners.add(listener);
      plan(path, entry, Math.max(0, (entry.answer.at ?? 0) + paceOf(path) - now()));
      return () => {
        entry.listeners.delete(listener);
        if (entry.listeners.size === 0) entry.soon?.();
      };
    },
    [path],
  );
  const answer = useSyncExternalStore(subscribe, () => (path === undefined ? nothing : entryOf(path).answer));
  useEffect(() => {
    if (path !== undefined) entryOf(path).everyMs = everyMs;
  }, [path, everyMs]);
  return answer as Answer<T>;
}
