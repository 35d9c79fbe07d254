import { createReadStream } from 'node:fs';
import { createGunzip } from 'node:zlib';
import { type Trace, TraceError } from './job.ts';
import { eachLine, type LineReader } from './lines.ts';
import { SacctReader } from './sacct.ts';
import { SwfReader } from './swf.ts';

/** An SWF file or a `sacct` dump, plain or gzipped; which of the two its first line tells. */
export async function readTrace(path: string): Promise<Trace> {
  const file = createReadStream(path, { highWaterMark: 1 << 18 });
  const bytes = path.endsWith('.gz') ? file.pipe(createGunzip()) : file;
  // A pipe does not pass on what goes wrong at its source.
  if (bytes !== file) file.on('error', (e) => bytes.destroy(e));
  let reader: LineReader | undefined;
  try {
    await eachLine(bytes, (text, number) => {
      reader ??= text.includes('|') ? new SacctReader(path) : new SwfReader(path);
      reader.line(text, number);
    });
  } catch (e) {
    if (e instanceof TraceError) throw e;
    throw new TraceError(path, `cannot be read: ${e instanceof Error ? e.message : e}`);
  } finally {
    file.destroy();
  }
  if (reader === undefined) throw new TraceError(path, 'empty');
  reader.end();
  return { header: reader.header, jobs: reader.jobs, unfinished: reader.unfinished };
}
