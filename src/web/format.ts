/** Numbers and times as people read them; `locale` and the moment are arguments. */

export function usd(microUsd: number, locale: string): string {
  const dollars = microUsd / 1e6;
  const digits = Math.abs(dollars) >= 1_000 ? 0 : Math.abs(dollars) > 0 && Math.abs(dollars) < 0.01 ? 4 : 2;
  return new Intl.NumberFormat(locale, {
    ...{ style: 'currency', currency: 'USD', currencyDisplay: 'narrowSymbol' },
    ...{ minimumFractionDigits: digits, maximumFractionDigits: digits },
  }).format(dollars);
}

export const count = (n: number, locale: string): string => new Intl.NumberFormat(locale).format(n);

const steps = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1_000],
] as const;

/** In its two largest units: `2 h 5 min`; less than a second is `0 s`. */
export function span(ms: number): string {
  const whole = Math.max(0, Math.round(ms / 1_000) * 1_000);
  const first = steps.findIndex(([, size]) => whole >= size);
  if (first < 0) return '0 s';
  const [unit, size] = steps[first] ?? ['s', 1_000];
  const head = `${Math.floor(whole / size)} ${unit}`;
  const next = steps[first + 1];
  if (next === undefined) return head;
  const rest = Math.floor((whole % size) / next[1]);
  return rest === 0 ? head : `${head} ${rest} ${next[0]}`;
}

/** Today the time of day, else with its date. */
export function moment(at: string | number, nowMs: number, locale: string): string {
  const then = new Date(at);
  const sameDay = then.toDateString() === new Date(nowMs).toDateString();
  return new Intl.DateTimeFormat(locale, {
    ...(sameDay ? {} : { year: 'numeric', month: 'short', day: 'numeric' }),
    ...{ hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' },
  }).format(then);
}

export const ms = (at: string): number => Date.parse(at);

/** A share from 0 to 1, for widths. */
export const share = (part: number, whole: number): number =>
  whole <= 0 ? 0 : Math.min(1, Math.max(0, part / whole));

/** RFC 4180; what a spreadsheet would take for a formula is marked as text. */
export function csv(rows: readonly (readonly (string | number)[])[]): string {
  const cell = (value: string | number): string => {
    const text = typeof value === 'string' && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return rows.map((row) => `${row.map(cell).join(',')}\r\n`).join('');
}
