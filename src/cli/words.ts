/** Numbers as a report says them. */
const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

export const hours = (ms: number): string => (ms / hourMs).toFixed(2);
/** Hours, in whole numbers. */
export const whole = (ms: number): string => Math.round(ms / hourMs).toLocaleString('en-US');
export const minutes = (ms: number): string => `${Math.round(ms / 60_000).toLocaleString('en-US')} min`;
export const days = (ms: number): string => count(Math.max(1, Math.ceil(ms / dayMs)), 'day');
export const count = (n: number, of: string): string =>
  `${n.toLocaleString('en-US')} ${of}${n === 1 ? '' : 's'}`;

export interface AccountLine {
  readonly account: string;
  readonly text: string;
}

const accountsShown = 10;

/** The first of them; `--json` has all. */
export function byAccount(lines: readonly AccountLine[]): readonly string[] {
  if (lines.length === 0) return [];
  const more = lines.length - accountsShown;
  return [
    'By account, most saved first:',
    ...lines.slice(0, accountsShown).map((a) => `  ${a.account === '' ? '(none)' : a.account}: ${a.text}`),
    ...(more > 0 ? [`  and ${more} more (--json has all)`] : []),
  ];
}

/** `4 s`, `12 min`, `3 h`, `2 d`; of what lies ahead, by another clock, `0 s`. */
export function ageOf(at: string, now: number): string {
  const seconds = Math.max(0, Math.round((now - Date.parse(at)) / 1_000));
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3_600)} h` : `${Math.round(seconds / 86_400)} d`;
}
