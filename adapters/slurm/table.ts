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

/**
 * The same for a table in which every row has the asked shape, as it always should: each row's values, fields first, in one array that is used again for
 * the next. Most values of a column are those of a row before, which are handed on instead of cut out anew. False where some row is odd:
 * what was read until then does not count, and `readTable` tells which.
 */
export function eachRow(
  output: string,
  mark: string,
  fields: number,
  texts: number,
  row: (values: readonly string[]) => void,
): boolean {
  const values = new Array<string>(fields + texts).fill('');
  const recent = values.map(() => new Recent(output));
  const newline = 10;
  const bar = separator.charCodeAt(0);
  // The mark begins with a separator, so a field before the last that begins with its rest is where the fields end too soon.
  const rest = mark.slice(separator.length);
  const restBegins = rest.charCodeAt(0);
  for (let at = 0; at < output.length; ) {
    const begins = at;
    for (let i = 0; i < fields; i++) {
      const before = values[i] as string;
      let to = at + before.length;
      if (output.charCodeAt(to) !== bar || (to > at && !output.startsWith(before, at))) {
        to = output.indexOf(separator, at);
        if (to < 0) return output.slice(begins).trim() === '';
        values[i] = (recent[i] as Recent).cut(at, to);
      }
      if (output.charCodeAt(at) === restBegins && output.startsWith(rest, at)) return false;
      at = to + 1;
    }
    if (!output.startsWith(rest, at)) return false;
    at += rest.length;
    for (let i = fields; i < fields + texts; i++) {
      const to = output.indexOf(mark, at);
      if (to < 0) return false;
      const before = values[i] as string;
      if (to - at !== before.length || !output.startsWith(before, at))
        values[i] = (recent[i] as Recent).cut(at, to);
      at = to + mark.length;
    }
    if (at < output.length && output.charCodeAt(at) !== newline) return false;
    at += 1;
    row(values);
  }
  return true;
}

/** What one column held not long ago: of a hundred thousand users, accounts and names a few thousand differ, and each is kept once. */
class Recent {
  readonly #output: string;
  readonly #texts = new Array<string | undefined>(places).fill(undefined);

  constructor(output: string) {
    this.#output = output;
  }

  cut(from: number, to: number): string {
    const output = this.#output;
    let hash = to - from;
    for (let i = from; i < to; i++) hash = (Math.imul(hash, 31) + output.charCodeAt(i)) | 0;
    const place = hash & (places - 1);
    const known = this.#texts[place];
    if (known !== undefined && known.length === to - from && output.startsWith(known, from)) return known;
    const text = own(output.slice(from, to));
    this.#texts[place] = text;
    return text;
  }
}

/** A power of two. */
const places = 4_096;

/** A text of its own: V8 cuts a longer one out as a view of the whole output, which would live as long as whoever keeps one name of it. */
function own(slice: string): string {
  return slice.length < shortestView ? slice : Buffer.from(slice).toString();
}

/** V8 copies what is shorter. [v8/src/objects/string.h, SlicedString::kMinLength] */
const shortestView = 13;

export function excerpt(text: string): string {
  const line = JSON.stringify(text.trim());
  return line.length > 120 ? `${line.slice(0, 120)}…` : line;
}
