import type { Readable } from 'node:stream';

/** One parsed JSON value a line. A line without its end is a stream that broke: it is not given out. */
export async function* jsonLines(stream: Readable): AsyncGenerator<unknown> {
  let rest: Buffer[] = [];
  for await (const chunk of stream) {
    let from = 0;
    const bytes = chunk as Buffer;
    for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, from)) {
      rest.push(bytes.subarray(from, end));
      const line = rest.length === 1 ? rest[0] : Buffer.concat(rest);
      rest = [];
      from = end + 1;
      if (line !== undefined && line.length > 0) yield JSON.parse(line.toString('utf8'));
    }
    if (from < bytes.length) rest.push(bytes.subarray(from));
  }
}
