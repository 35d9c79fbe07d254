/** How far long work has come: one line of the terminal that errors go to. Where that is none, nothing is written. */
export interface Progress {
  /** `done` of `of`, or of nobody knows how many. */
  tick(what: string, done: number, of?: number): void;
  /** Takes the line away: the work is over, or something else is to stand there. */
  clear(): void;
}

export interface Screen {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

const everyMs = 100;
const barWide = 24;

/** `now`: milliseconds of a clock that only goes forward. */
export function progressOn(screen: Screen, now: () => number): Progress {
  if (screen.isTTY !== true) return noProgress;
  let drawn = Number.NEGATIVE_INFINITY;
  let shown = false;
  return {
    tick: (what, done, of) => {
      const at = now();
      if (at - drawn < everyMs) return;
      drawn = at;
      shown = true;
      // A line that wraps could not be taken away. Where nobody knows how wide it is, it has 0 columns.
      screen.write(`\r\x1b[K${lineOf(what, done, of).slice(0, (screen.columns || 80) - 1)}`);
    },
    clear: () => {
      if (shown) screen.write('\r\x1b[K');
      shown = false;
    },
  };
}

export const noProgress: Progress = { tick: () => undefined, clear: () => undefined };

function lineOf(what: string, done: number, of: number | undefined): string {
  if (of === undefined || of <= 0) return `${what}: ${done.toLocaleString('en-US')}`;
  const part = Math.min(1, done / of);
  const full = Math.round(part * barWide);
  return `${what} [${'#'.repeat(full)}${'.'.repeat(barWide - full)}] ${Math.floor(100 * part)} %`;
}

const lookMs = 250;

/** Tells how many seconds `work` has taken, until it is over. */
export async function whileWaiting<T>(
  what: string,
  work: Promise<T>,
  progress: Progress,
  pause: (ms: number) => Promise<void>,
): Promise<T> {
  if (progress === noProgress) return work;
  let over = false;
  const settled = work.finally(() => {
    over = true;
  });
  settled.catch(() => undefined);
  for (let looks = 0; !over; looks += 1) {
    progress.tick(what, Math.floor((looks * lookMs) / 1_000));
    await Promise.race([settled.catch(() => undefined), pause(lookMs)]);
  }
  progress.clear();
  return settled;
}
