/**
 * Rows in which no user's text can pass for a field or a row. A job name may hold quotes, newlines and the separator
 * itself, so each free text stands between marks that were made up for this one call.
 */
import { randomBytes } from 'node:crypto';

/** Cannot occur in ids, numbers, times, node lists and names that an admin gives. */
export const separator = '\x1f';

/** Begins with no digit and holds no comma: `squeue -O` would take those for a width and the next field. */
export function makeMark(): string {
  return `${separator}m${randomBytes(9).toString('base64url')}`;
}

export interface Row {
  readonly fields: readonly string[];
  readonly texts: readonly string[];
}

export interface Table {
  readonly rows: readonly Row[];
  /** Rows that do not have the asked shape, shortened for a log. */
  readonly odd: readonly string[];
}

/**
 * A row is `f1 SEP … SEP fn MARK text1 MARK … textm MARK newline`. A row of another shape is odd: nothing is read from it, and the
 * next one is found by its shape.
 */
export function readTable(output: string, mark: string, fields: number, texts: number): Table {
  const parts = output.split(mark);
  const last = parts.pop() ?? '';
  const heads = parts.flatMap((part, at) =>
    at === 0 || (part.startsWith('\n') && part.split(separator).length === fields) ? [at] : [],
  );
  const rows: Row[] = [];
  const odd: string[] = [];
  for (const [nth, at] of heads.entries()) {
    const [head = '', ...rest] = parts.slice(at, heads[nth + 1]);
    const values = head.replace(/^\n/, '').split(separator);
    if (values.length === fields && rest.length === texts) rows.push({ fields: values, texts: rest });
    else odd.push(excerpt(head));
  }
  if (last.trim() !== '') odd.push(excerpt(last));
  return { rows, odd };
}

export function excerpt(text: string): string {
  const line = JSON.stringify(text.trim());
  return line.length > 120 ? `${line.slice(0, 120)}…` : line;
}
