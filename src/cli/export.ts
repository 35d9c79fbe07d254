/** `spillway export focus`: what bursts cost, as a file that cost tools read. */
import type { Reconciled } from '../domain/cost.ts';
import { UsageError } from './ask.ts';
import { spanOf } from './span.ts';
import { count, hours } from './words.ts';

export interface ExportOptions {
  readonly since: string;
  readonly to?: string;
  readonly billed?: readonly string[];
  readonly json?: boolean;
}

export interface ExportOrder {
  /** Milliseconds. */
  readonly forMs: number;
  readonly to: string;
  readonly billed: readonly string[];
  readonly json: boolean;
}

export function exportOrderOf({ since, to, billed = [], json = false }: ExportOptions): ExportOrder {
  if (to === undefined || to === '')
    throw new UsageError(
      '--to: missing; write the file that the rows go to, such as --to spillway-focus.csv',
    );
  return { forMs: spanOf(since), to, billed, json };
}

export interface Exported {
  readonly to: string;
  readonly rows: number;
  /** Machine time that has no price, and so no row. */
  readonly leftOutMs: number;
  readonly bill: Reconciled | undefined;
}

export function exportedJson({ to, rows, leftOutMs, bill }: Exported): string {
  const contradicted = bill && {
    contradicted: bill.drifts.filter((d) => d.over).length,
    billIsOld: bill.old,
  };
  return JSON.stringify({ to, rows, leftOutMs, ...contradicted }, undefined, 2);
}

export function exportedInWords({ to, rows, leftOutMs, bill }: Exported): readonly string[] {
  const lines = [`${to}: ${count(rows, 'row')} of FOCUS 1.2`];
  if (leftOutMs > 0)
    lines.push(
      `not known: ${hours(leftOutMs)} h of instances without a price: FOCUS has no unknown cost, so they have no row`,
    );
  if (bill === undefined) return lines;
  const over = bill.drifts.filter((d) => d.over).length;
  if (over > 0)
    lines.push(
      `! the bill contradicts ${count(over, 'instance')} by more than 5 %: x_Marks says so on their rows`,
    );
  if (bill.old)
    lines.push('! the bill is older than 48 h: x_Marks says so on the rows that were held against it');
  return lines;
}
