/** A stream of bytes as lines: a trace of millions of jobs is never one string. */
import type { TraceHeader, TraceJob } from './job.ts';

/** Takes a trace line by line. */
export interface LineReader {
  readonly header: TraceHeader;
  readonly jobs: readonly TraceJob[];
  readonly unfinished: number;
  /** Lines count from 1. */
  line(text: string, number: number): void;
  end(): void;
}

export async function eachLine(
  chunks: AsyncIterable<Uint8Array>,
  take: (text: string, number: number) => void,
): Promise<void> {
  const decoder = new TextDecoder();
  let rest = '';
  let number = 0;
  for await (const chunk of chunks) {
    const text = rest + decoder.decode(chunk, { stream: true });
    let from = 0;
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', from)) {
      take(text.slice(from, text.charCodeAt(at - 1) === 13 ? at - 1 : at), ++number);
      from = at + 1;
    }
    rest = text.slice(from);
  }
  if (rest !== '') take(rest, ++number);
}
