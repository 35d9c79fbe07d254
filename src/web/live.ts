import { useSyncExternalStore } from 'react';
import type { EventView } from '../api/portal-schemas.ts';
import { headers, orProblem, Problem } from './ask.ts';
import { after } from './browser.ts';
import { heard, refresh } from './data.ts';
import { touches } from './touched.ts';

/** Whether events come in; `off`: nobody is signed in, or the gateway cannot be reached and is tried again. */
export type Liveness = 'off' | 'connecting' | 'live';

interface Line {
  readonly id?: string;
  readonly event?: string;
  readonly data?: string;
}

const againMs = 2_000;
/** Three comments of the gateway that did not come: the line is dead though nothing said so. */
const silentMs = 46_000;

let state: Liveness = 'off';
const listeners = new Set<() => void>();
let last: string | undefined;
let ending: AbortController | undefined;

function become(next: Liveness): void {
  if (state === next) return;
  state = next;
  for (const listener of listeners) listener();
}

/** One event as it stands on the wire. */
export function lineOf(text: string): Line {
  const found: Record<string, string> = {};
  for (const line of text.split('\n')) {
    const at = line.indexOf(':');
    if (at <= 0) continue;
    const name = line.slice(0, at);
    const value = line.slice(at + 1).replace(/^ /, '');
    found[name] = name === 'data' && found.data !== undefined ? `${found.data}\n${value}` : value;
  }
  return found;
}

function take({ id, event, data }: Line): void {
  if (id !== undefined) last = id;
  // Others may have been missed: all is read again.
  if (event === 'begin' || event === 'reset') refresh();
  if (event !== 'audit' || data === undefined) return;
  const { kind } = JSON.parse(data) as EventView;
  heard((path) => touches(kind, path));
}

async function listen(signal: AbortSignal): Promise<void> {
  const ends = new AbortController();
  const end = (): void => ends.abort();
  signal.addEventListener('abort', end);
  let watch = after(silentMs, end);
  try {
    // EventSource sends no Authorization header, so the stream is read by hand.
    const resume: Record<string, string> = last === undefined ? {} : { 'last-event-id': last };
    const init = { headers: { ...headers(), ...resume }, signal: ends.signal, cache: 'no-store' } as const;
    const response = await orProblem(await fetch('/api/v1/events', init));
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    if (reader === undefined) return;
    become('live');
    let rest = '';
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      watch();
      watch = after(silentMs, end);
      const parts = (rest + value).split('\n\n');
      rest = parts.pop() ?? '';
      for (const part of parts) take(lineOf(part));
    }
  } finally {
    watch();
    signal.removeEventListener('abort', end);
  }
}

/** Listens until it is called again or ended; comes back by itself, from the last event that it has. */
export function startLive(): void {
  endLive();
  const own = new AbortController();
  ending = own;
  become('connecting');
  const turn = async (): Promise<void> => {
    try {
      await listen(own.signal);
    } catch (e) {
      // Its id is of another store, or was never one.
      if (e instanceof Problem && e.status === 400) last = undefined;
    }
    if (own.signal.aborted) return;
    become('connecting');
    after(againMs, () => void (own.signal.aborted || turn()));
  };
  void turn();
}

export function endLive(): void {
  ending?.abort();
  ending = undefined;
  become('off');
}

export function useLiveness(): Liveness {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => state,
  );
}
