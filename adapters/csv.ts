import { CsvError, parse } from 'csv-parse/sync';

/** A line of a file with a header; what is empty is undefined. Lines count from 1, the header among them. */
export interface Row<Column extends string> {
  readonly line: number;
  readonly of: (column: Column) => string | undefined;
}

export interface Table<Column extends string> {
  /** All that there may be. */
  readonly columns: readonly Column[];
  /** Without which it is none; the last one is named in the error. */
  readonly needed: readonly Column[];
}

/** `bad` makes the error of a line. Column names may be written in capitals; `#` begins a comment. */
export function rowsOf<Column extends string>(
  text: string,
  { columns, needed }: Table<Column>,
  bad: (line: number, what: string, cause?: unknown) => Error,
): readonly Row<Column>[] {
  let header: readonly string[] = [];
  let rows: readonly { readonly record: Record<string, string>; readonly info: { readonly lines: number } }[];
  try {
    rows = parse(text, {
      ...{ bom: true, trim: true, skip_empty_lines: true, info: true, comment: '#', comment_no_infix: true },
      columns: (names: string[]) => {
        header = names.map((n) => n.toLowerCase());
        return [...header];
      },
    }) as unknown as typeof rows;
  } catch (e) {
    if (!(e instanceof CsvError)) throw e;
    throw bad(typeof e.lines === 'number' ? e.lines : 1, e.message, e);
  }
  const unknown = header.find((name) => !columns.includes(name as Column));
  if (unknown !== undefined) throw bad(1, `unknown column "${unknown}"; there are ${columns.join(', ')}`);
  const twice = header.find((name, i) => header.indexOf(name) !== i);
  if (twice !== undefined) throw bad(1, `column ${twice} stands there twice`);
  const missing = needed.find((name) => !header.includes(name));
  if (missing !== undefined)
    throw bad(1, `no column ${missing}; begin with a header such as ${columns.slice(0, 4).join(',')}`);
  return rows.map(({ record, info: { lines: line } }) => ({
    line,
    of: (column) => record[column] || undefined,
  }));
}
