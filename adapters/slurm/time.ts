/** Slurm's words for times, amounts and nothing. With SLURM_TIME_FORMAT=%s a time is seconds since the epoch. */
import { type Instant, instant } from '../../src/domain/ids.ts';

/** Slurm prints "nothing" in as many ways as it has printers. */
const blanks: ReadonlySet<string> = new Set(['', '(null)', 'N/A', 'n/a', 'None', 'Unknown', 'NONE']);

/** A word of Slurm's, '' where it means nothing. */
export function word(text: string): string {
  return blanks.has(text) ? '' : text;
}

/** Thrown by the readers of this folder and caught where a line or an answer is read: it never leaves the adapter. */
export class Unreadable extends Error {
  constructor(what: string, text: string) {
    super(`${what} is ${JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text)}`);
    this.name = 'Unreadable';
  }
}

/** A number that was read as one already stays what it is. */
export function epoch(text: string | number, what: string): Instant | undefined {
  if (typeof text === 'number' && text <= 99_999_999_999)
    return text === 0 ? undefined : instant(text * 1000);
  const shown = `${text}`;
  if (word(shown) === '') return undefined;
  if (!/^\d{1,11}$/.test(shown)) throw new Unreadable(what, shown);
  return shown === '0' ? undefined : instant(Number(shown) * 1000);
}

export function epochRequired(text: string | number, what: string): Instant {
  const at = epoch(text, what);
  if (at === undefined) throw new Unreadable(what, `${text}`);
  return at;
}

/** A pure reader that remembers what it read: of a hundred thousand values of a column a few hundred differ. */
export function remembering<T>(read: (text: string, what: string) => T): (text: string, what: string) => T {
  const known = new Map<string, T>();
  return (text, what) => {
    let value = known.get(text);
    if (value === undefined) {
      value = read(text, what);
      // Only a memory: what it forgets is read again.
      if (known.size >= 5_000) known.clear();
      known.set(text, value);
    }
    return value;
  };
}

/** `MM`, `MM:SS`, `HH:MM:SS`, `D-HH:MM:SS`; `NOT_SET` and `Partition_Limit` mean that the partition's own holds. */
export function duration(text: string, what: string): number | 'unlimited' | 'partition' {
  const upper = text.toUpperCase();
  if (upper === 'UNLIMITED' || upper === 'INFINITE') return 'unlimited';
  if (upper === 'NOT_SET' || upper === 'PARTITION_LIMIT') return 'partition';
  const [, days, clock = ''] = /^(?:(\d+)-)?(\d+(?::\d+){0,2})$/.exec(text) ?? [];
  if (clock === '') throw new Unreadable(what, text);
  const parts = clock.split(':').map(Number);
  // Right-aligned to seconds, but for a lone number (minutes) and after days, where hours come first.
  const [hours = 0, minutes = 0, seconds = 0] =
    days !== undefined || parts.length === 3
      ? parts
      : parts.length === 2
        ? [0, ...parts]
        : [0, parts[0] ?? 0, 0];
  return (((Number(days ?? 0) * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000;
}

/** As `scontrol update timelimit=` takes it: whole minutes, never less than what was asked. */
export function minutes(ms: number | 'unlimited'): string {
  return ms === 'unlimited' ? 'UNLIMITED' : `${Math.max(1, Math.ceil(ms / 60_000))}`;
}

const powers = 'KMGTPE';

/** `4`, `2K`, `1.50M`: counts are shortened by 1024s. */
export function count(text: string | number, what: string): number {
  if (typeof text === 'number') return text;
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?)([KMGTPE])?$/.exec(text) ?? [];
  if (number === undefined) throw new Unreadable(what, text);
  return Math.round(Number(number) * 1024 ** (unit === '' ? 0 : powers.indexOf(unit) + 1));
}

/** `500M`, `1.50G`, `0`, and `500` where Slurm leaves the M out. */
export function mebibytes(text: string, what: string): number {
  const [, number, unit = 'M'] = /^(\d+(?:\.\d+)?)([KMGTPE])?$/.exec(text) ?? [];
  if (number === undefined) throw new Unreadable(what, text);
  return Math.round(Number(number) * 1024 ** (powers.indexOf(unit) - 1));
}

export function integer(text: string | number, what: string): number {
  if (typeof text === 'number') return text;
  if (!/^-?\d+$/.test(text)) throw new Unreadable(what, text);
  return Number(text);
}

/** `cpu=4,mem=8000M,node=1,gres/gpu:a100=2`. */
export function tres(text: string): ReadonlyMap<string, string> {
  const pairs = word(text)
    .split(',')
    .flatMap((pair): [string, string][] => {
      const at = pair.lastIndexOf('=');
      return at < 1 ? [] : [[pair.slice(0, at), pair.slice(at + 1)]];
    });
  return new Map(pairs);
}
