import { microUsd } from '../../src/domain/money.ts';

const mostUsd = 1_000_000_000;

/** `5000` or `5000.50`, as dollars, to micro-dollars; undefined: no amount. A sign, a comma or a currency is none: whoever reads it may not guess. */
export function amountOf(text: string): number | undefined {
  if (!/^\d{1,10}(\.\d{1,6})?$/.test(text.trim())) return undefined;
  const dollars = Number(text);
  return dollars <= mostUsd ? microUsd(dollars) : undefined;
}
