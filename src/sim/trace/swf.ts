/** The Standard Workload Format: 18 numbers a line, header comments behind `;` (Parallel Workloads Archive, version 2.2). */
import { sane, TraceError, type TraceHeader, type TraceJob } from './job.ts';
import type { LineReader } from './lines.ts';

/** Where each stands; the format counts from 1. */
const field = {
  id: 0,
  submit: 1,
  run: 3,
  allocated: 4,
  processors: 7,
  request: 8,
  user: 11,
  group: 12,
  partition: 15,
} as const;
const fields = 18;
const known = { maxprocs: 'maxProcs', maxnodes: 'maxNodes', unixstarttime: 'unixStartTime' } as const;

export class SwfReader implements LineReader {
  readonly header: { -readonly [K in keyof TraceHeader]: TraceHeader[K] } = {};
  readonly jobs: TraceJob[] = [];
  readonly unfinished = 0;
  readonly #name: string;
  readonly #row = new Float64Array(fields);
  readonly #names = new Map<number, string>();

  constructor(name: string) {
    this.#name = name;
  }

  line(text: string, number: number): void {
    const first = text.trimStart();
    if (first === '') return;
    if (first.startsWith(';')) {
      this.#comment(first);
      return;
    }
    const row = this.#row;
    const found = numbersOf(text, row);
    if (found !== fields)
      throw new TraceError(
        `${this.#name}:${number}`,
        found < 0 ? `field ${-found} is no number` : `${found} fields in place of ${fields}`,
      );
    const runMs = (row[field.run] as number) * 1_000;
    const held = row[field.allocated] as number;
    const request = (row[field.request] as number) * 1_000;
    const job: TraceJob = {
      id: this.#say(row[field.id] as number),
      submitMs: ((this.header.unixStartTime ?? 0) + (row[field.submit] as number)) * 1_000,
      runMs,
      requestMs: request > 0 ? request : runMs,
      // What it held rather than what it asked for: a site rounds up to whole nodes.
      processors: held > 0 ? held : (row[field.processors] as number),
      user: this.#say(row[field.user] as number),
      account: this.#say(row[field.group] as number),
      partition: this.#say(row[field.partition] as number),
    };
    this.jobs.push(sane(job, `${this.#name}:${number}`));
  }

  end(): void {}

  #comment(text: string): void {
    const [, name = '', value = ''] = /^;\s*(\w+)\s*:\s*(\d+)(?![\d.,])/.exec(text) ?? [];
    const at = known[name.toLowerCase() as keyof typeof known];
    if (at !== undefined) this.header[at] = Number(value);
  }

  /** One string for each number: users and groups come again and again. */
  #say(n: number): string {
    let name = this.#names.get(n);
    if (name === undefined) {
      name = String(n);
      if (this.#names.size < 100_000) this.#names.set(n, name);
    }
    return name;
  }
}

/** How many numbers the line holds; minus the place of the first that is none. */
function numbersOf(text: string, row: Float64Array): number {
  let count = 0;
  let i = 0;
  const end = text.length;
  for (;;) {
    while (i < end && text.charCodeAt(i) <= 32) i += 1;
    if (i >= end) return count;
    let sign = 1;
    if (text.charCodeAt(i) === 45) {
      sign = -1;
      i += 1;
    }
    const began = i;
    let value = 0;
    let scale = 0;
    for (; i < end; i++) {
      const c = text.charCodeAt(i);
      if (c >= 48 && c <= 57) {
        value = value * 10 + c - 48;
        scale *= 10;
      } else if (c === 46 && scale === 0) scale = 1;
      else break;
    }
    if (i === began || (i < end && text.charCodeAt(i) > 32)) return -(count + 1);
    if (count < fields) row[count] = (sign * value) / (scale === 0 ? 1 : scale);
    count += 1;
  }
}
