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

/** Of a column of numbers the number, where one of at most 15 digits stands there as it would be written anew; else the text. */
export type Value = string | number;

/** The columns of a table, fields first; `numbers`: which of the fields are read as such. */
export interface Columns {
  readonly fields: number;
  readonly texts: number;
  readonly numbers: ReadonlySet<number>;
}

/**
 * The same for a table in which every row has the asked shape, as it always should: each row's values, fields first, in one array that is used again for
 * the next. Most values of a column are those of a row before, which are handed on instead of cut out anew; numbers are no texts first. False
 * where some row is odd: what was read until then does not count, and `readTable` tells which.
 */
export function eachRow(
  output: string,
  mark: string,
  { fields, texts, numbers }: Columns,
  row: (values: readonly Value[]) => void,
): boolean {
  const values = new Array<Value>(fields + texts).fill('');
  const columns = values.map((_, i) => (numbers.has(i) ? new Numbers(output) : new Texts(output)));
  const newline = 10;
  // The mark begins with a separator, so a field before the last that begins with its rest is where the fields end too soon.
  const rest = mark.slice(separator.length);
  const restBegins = rest.charCodeAt(0);
  for (let at = 0; at < output.length; ) {
    const begins = at;
    for (let i = 0; i < fields; i++) {
      if (output.charCodeAt(at) === restBegins && output.startsWith(rest, at)) return false;
      const column = columns[i] as Texts | Numbers;
      const to = column.end(at);
      if (to < 0) return output.slice(begins).trim() === '';
      values[i] = column.value;
      at = to + 1;
    }
    if (!output.startsWith(rest, at)) return false;
    at += rest.length;
    for (let i = fields; i < fields + texts; i++) {
      // Of one unit is found natively, and users seldom write it.
      let to = output.indexOf(separator, at);
      while (to >= 0 && !output.startsWith(mark, to)) to = output.indexOf(separator, to + 1);
      if (to < 0) return false;
      values[i] = (columns[i] as Texts).cut(at, to);
      at = to + mark.length;
    }
    if (at < output.length && output.charCodeAt(at) !== newline) return false;
    at += 1;
    row(values);
  }
  return true;
}

const bar = separator.charCodeAt(0);

/** A column of numbers. */
class Numbers {
  readonly #output: string;
  value: Value = 0;

  constructor(output: string) {
    this.#output = output;
  }

  /** Reads what begins there; where its separator stands, or -1. */
  end(from: number): number {
    const output = this.#output;
    let number = 0;
    let to = from;
    let unit = output.charCodeAt(to);
    const zero = unit === 48;
    while (unit >= 48 && unit <= 57) {
      number = number * 10 + unit - 48;
      to += 1;
      unit = output.charCodeAt(to);
    }
    const digits = to - from;
    if (unit === bar && digits > 0 && digits <= 15 && (!zero || digits === 1)) this.value = number;
    else {
      to = output.indexOf(separator, to);
      if (to >= 0) this.value = own(output.slice(from, to));
    }
    return to;
  }
}

/** A column of texts, with those that it held not long ago: of a hundred thousand users, accounts and names a few thousand differ, and each is kept once. */
class Texts {
  readonly #output: string;
  readonly #recent = new Array<string>(places).fill('');
  value = '';

  constructor(output: string) {
    this.#output = output;
  }

  /** Reads what begins there; where its separator stands, or -1. */
  end(from: number): number {
    const output = this.#output;
    // As in the row before, most likely.
    const same = from + this.value.length;
    if (output.charCodeAt(same) === bar && (same === from || output.startsWith(this.value, from)))
      return same;
    const to = output.indexOf(separator, from);
    if (to >= 0) this.value = this.cut(from, to);
    return to;
  }

  cut(from: number, to: number): string {
    const output = this.#output;
    let hash = to - from;
    for (let i = from; i < to; i++) hash = (Math.imul(hash, 31) + output.charCodeAt(i)) | 0;
    const place = hash & (places - 1);
    const known = this.#recent[place] as string;
    if (known.length === to - from && output.startsWith(known, from)) return known;
    const text = own(output.slice(from, to));
    this.#recent[place] = text;
    return text;
  }
}

/** A power of two. */
const places = 4_096;

/** A text of its own: V8 cuts a longer one out as a view of the whole output, which would live as long as whoever keeps one name of it. */
function own(slice: string): string {
  if (slice.length < shortestView) return slice;
  if (slice.length > scratch.length / 3) return Buffer.from(slice).toString();
  return scratch.toString('utf8', 0, scratch.write(slice));
}

const scratch = Buffer.allocUnsafe(1_024);

/** V8 copies what is shorter. [v8/src/objects/string.h, SlicedString::kMinLength] */
const shortestView = 13;

export function excerpt(text: string): string {
  const line = JSON.stringify(text.trim());
  return line.length > 120 ? `${line.slice(0, 120)}…` : line;
}
