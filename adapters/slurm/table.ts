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
 * A row is `f1 SEP … SEP fn MARK text1 MARK … textm MARK newline`. A separator too many in the fields is somebody's text where
 * none was expected: the row is odd, and nothing is read from it.
 */
export function readTable(output: string, mark: string, fields: number, texts: number): Table {
  const rows: Row[] = [];
  const odd: string[] = [];
  const parts = output.split(mark);
  const rest = parts.pop() ?? '';
  if (rest.trim() !== '') odd.push(excerpt(rest));
  for (let at = 0; at < parts.length; at += texts + 1) {
    const row = parts.slice(at, at + texts + 1);
    const head = (row[0] ?? '').replace(/^\n/, '');
    const values = head.split(separator);
    if (row.length === texts + 1 && values.length === fields)
      rows.push({ fields: values, texts: row.slice(1) });
    else odd.push(excerpt(head));
  }
  return { rows, odd };
}

export function excerpt(text: string): string {
  const line = JSON.stringify(text.trim());
  return line.length > 120 ? `${line.slice(0, 120)}…` : line;
}
