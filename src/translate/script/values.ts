/** Values of options, as sbatch reads them. */

export const whole = (text: string): number | undefined =>
  /^\d{1,30}$/.test(text) ? Number(text) : undefined;

const units: Readonly<Record<string, number>> = { K: 1 / 1024, M: 1, G: 1024, T: 1024 ** 2 };

/** Without a unit MiB, as sbatch means it. */
export function mebibytes(text: string): number | undefined {
  const [, amount, unit = 'M'] = /^(\d{1,30})([KMGT])?B?$/i.exec(text) ?? [];
  const factor = units[unit.toUpperCase()];
  return amount === undefined || factor === undefined ? undefined : Math.ceil(Number(amount) * factor);
}

/** `MIN`, `MIN:SEC`, `HOUR:MIN:SEC`, `DAY-HOUR`, `DAY-HOUR:MIN`, `DAY-HOUR:MIN:SEC`; 0 is none. [sbatch(1), --time] */
export function timeLimit(text: string): number | 'unlimited' | undefined {
  if (/^(unlimited|infinite|-1)$/i.test(text)) return 'unlimited';
  const found = /^(?:(\d{1,30})-)?(\d{1,30})(?::(\d{1,30}))?(?::(\d{1,30}))?$/.exec(text);
  if (found === null) return undefined;
  const [, days, ...parts] = found;
  const [a = 0, b = 0, c = 0] = parts.map((p) => (p === undefined ? undefined : Number(p)));
  const three = parts[2] !== undefined;
  const seconds =
    days !== undefined
      ? Number(days) * 86_400 + a * 3600 + b * 60 + c
      : three
        ? a * 3600 + b * 60 + c
        : a * 60 + b;
  return seconds === 0 ? 'unlimited' : seconds * 1000;
}
