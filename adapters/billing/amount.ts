/** Sums of a bill, exactly: clouds write ten decimals and more, and a month has thousands of lines. */

/** Parts of a micro-dollar. */
const places = 12;
const perMicro = 10n ** 6n;

/** Dollars as whole parts of 1e-12; undefined: no amount. Exponents are how some tools write small ones. */
export function exactOf(text: string): bigint | undefined {
  const read = /^([+-]?)(\d{1,15})(?:\.(\d{0,40}))?(?:[eE]([+-]?\d{1,2}))?$/.exec(text.trim());
  if (read === null) return undefined;
  const [, sign, whole = '', fraction = '', exponent = '0'] = read;
  const shift = places + Number(exponent) - fraction.length;
  const digits = BigInt(whole + fraction);
  const size = shift >= 0 ? digits * 10n ** BigInt(shift) : digits / 10n ** BigInt(-shift);
  return sign === '-' ? -size : size;
}

/** To the nearest micro-dollar. */
export function microOf(exact: bigint): number {
  const half = exact < 0n ? -perMicro / 2n : perMicro / 2n;
  return Number((exact + half) / perMicro);
}
