import { createReadStream } from 'node:fs';
import { createGunzip } from 'node:zlib';
import { type Format, Guess } from './format.ts';
import { type Trace, TraceError } from './job.ts';
import { eachLine, type LineReader } from './lines.ts';
import { SacctReader } from './sacct.ts';
import { SwfReader } from './swf.ts';

const readers = { swf: SwfReader, sacct: SacctReader } as const satisfies Record<
  Format,
  new (
    name: string,
  ) => LineReader
>;

/** An SWF file or a `sacct` dump, plain or gzipped; which of the two its first lines tell, unless it is said. */
export async function readTrace(path: string, format?: Format): Promise<Trace> {
  const file = createReadStream(path, { highWaterMark: 1 << 18 });
  const bytes = path.endsWith('.gz') ? file.pipe(createGunzip()) : file;
  // A pipe does not pass on what goes wrong at its source.
  if (bytes !== file) file.on('error', (e) => bytes.destroy(e));
  const log = new Log(path, format);
  try {
    await eachLine(bytes, (text, number) => log.line(text, number));
  } catch (e) {
    if (e instanceof TraceError) throw e;
    throw new TraceError(path, `cannot be read: ${e instanceof Error ? e.message : e}`);
  } finally {
    file.destroy();
  }
  return log.end();
}

class Log {
  readonly #path: string;
  readonly #guess = new Guess();
  #format: Format | undefined;
  #reader: LineReader | undefined;

  constructor(path: string, format: Format | undefined) {
    this.#path = path;
    if (format !== undefined) this.#be(format);
  }

  line(text: string, number: number): void {
    if (this.#reader !== undefined) {
      this.#reader.line(text, number);
      return;
    }
    const { sure, tired } = this.#guess.look(text);
    if (sure === undefined && !tired) return;
    // What stands before the header line of a dump is a banner of the shell that printed it.
    if (sure === 'sacct') this.#be(sure).line(text, number);
    else this.#settle(sure);
  }

  end(): Trace {
    if (this.#reader === undefined) this.#settle(undefined);
    const [reader, format] = [this.#reader, this.#format];
    if (reader === undefined || format === undefined) throw new TraceError(this.#path, 'empty');
    reader.end();
    return { format, header: reader.header, jobs: reader.jobs, unfinished: reader.unfinished };
  }

  #be(format: Format): LineReader {
    this.#format = format;
    this.#reader = new readers[format](this.#path);
    return this.#reader;
  }

  /** Reads what was only looked at. */
  #settle(sure: Format | undefined): void {
    const { lines, likely } = this.#guess;
    if (lines.every((l) => l.trim() === '')) throw new TraceError(this.#path, 'empty');
    const format = sure ?? likely;
    if (format === undefined)
      throw new TraceError(
        this.#path,
        `neither SWF (18 numbers a line) nor a dump of sacct (a header line with JobID|…) by its first ${lines.length} lines; if it is one, say which: --format swf or --format sacct`,
      );
    const reader = this.#be(format);
    for (const [i, text] of lines.entries()) reader.line(text, i + 1);
  }
}
