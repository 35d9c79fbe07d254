/** Two clocks: the machine's, on which everything really runs, and the centre's, on which the story is told. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Instant, instant } from '../../src/domain/ids.ts';
import type { Clock, Scheduler } from '../../src/ports.ts';

/** So many minutes of the centre are told of one second here. */
export const minutesPerSecond = 4;
const opensAt = 8 * 60;

/** What an hour costs there is what so many seconds cost here. */
export const timesFaster = minutesPerSecond * 60;

/** Real time, which can be stopped: what was put off until later then never comes, and keeps nothing alive. */
export class Ticking implements Clock, Scheduler {
  readonly #timers = new Set<NodeJS.Timeout>();
  #stopped = false;

  now(): Instant {
    return instant(Date.now());
  }

  after(ms: number, work: () => void): { cancel(): void } {
    if (this.#stopped) return { cancel: () => undefined };
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      work();
    }, ms);
    this.#timers.add(timer);
    return {
      cancel: () => {
        clearTimeout(timer);
        this.#timers.delete(timer);
      },
    };
  }

  stop(): void {
    this.#stopped = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }
}

/** `08:42`, by what has passed here since the centre opened. */
export function timeOfDay(ms: number): string {
  const minutes = opensAt + Math.floor((Math.max(0, ms) / 1000) * minutesPerSecond);
  return `${two(Math.floor(minutes / 60) % 24)}:${two(minutes % 60)}`;
}

/** A length of time as the centre tells it: `7 min`, `1 h 05 min`. */
export function told(ms: number): string {
  const minutes = Math.round((ms / 1000) * minutesPerSecond);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${two(minutes % 60)} min`;
}

/** When it is so late there, how much has passed here. */
export function msAt(hour: number, minute: number): number {
  return ((hour * 60 + minute - opensAt) / minutesPerSecond) * 1000;
}

const two = (n: number): string => `${n}`.padStart(2, '0');

/** Looks again and again; false: it did not come to pass in time. */
export async function until(
  holds: () => boolean | Promise<boolean>,
  withinMs: number,
  stop?: AbortSignal,
): Promise<boolean> {
  const from = performance.now();
  while (stop?.aborted !== true) {
    if (await holds()) return true;
    if (performance.now() - from > withinMs) return false;
    await pause(100, stop);
  }
  return false;
}

export async function pause(ms: number, stop?: AbortSignal): Promise<void> {
  await sleep(ms, undefined, stop === undefined ? {} : { signal: stop }).catch(() => undefined);
}
