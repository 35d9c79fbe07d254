import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { CsvError, parse } from 'csv-parse';
import type { Bill, Billed } from '../../src/domain/cost.ts';
import { PortError } from '../../src/domain/fault.ts';
import { type CloudId, cloudId, instant } from '../../src/domain/ids.ts';
import type { BillPort } from '../../src/ports.ts';
import { exactOf, microOf } from './amount.ts';
import { type Cells, type Form, forms } from './forms.ts';

/** An instance's id, alone or as the end of its ARN. */
const instanceOf = /(?:^|:instance\/)(i-[0-9a-f]{8,17})$/;

interface Sum {
  machine: bigint;
  besides: bigint;
}

/** What was read so far, of all files. */
interface Reading {
  form: Form | undefined;
  from: number;
  until: number;
  readonly sums: Map<CloudId, Sum>;
}

/** Exports of a bill in files: CSV, plain or gzipped, FOCUS 1.2 or CUR 2.0. Read as a stream: those of a large account are large. */
export function billFiles(): BillPort {
  return {
    read: async (files) => {
      const reading: Reading = { form: undefined, from: Infinity, until: -Infinity, sums: new Map() };
      let written = -Infinity;
      for (const file of files) {
        written = Math.max(written, await writtenAt(file));
        await readFile(file, reading);
      }
      if (reading.form === undefined || reading.sums.size === 0 || !Number.isFinite(reading.until))
        throw fault(
          `${files.join(', ')}: no line is of an EC2 instance; export with resource ids (CUR 2.0: INCLUDE_RESOURCES)`,
        );
      return billOf(reading, reading.form, files, written);
    },
  };
}

function billOf({ sums, from, until }: Reading, form: Form, files: readonly string[], written: number): Bill {
  const instances = new Map<CloudId, Billed>();
  for (const [id, { machine, besides }] of sums)
    instances.set(id, { microUsd: microOf(machine), besidesMicroUsd: microOf(besides) });
  return {
    ...{ files, form: form.name, instances },
    ...{ from: instant(from), until: instant(until) },
    // The month's last day may stand there while the month still runs.
    asOf: instant(Math.min(until, written)),
  };
}

const fault = (text: string, cause?: unknown) => new PortError('invalid', 'bill.read', text, { cause });

async function writtenAt(file: string): Promise<number> {
  try {
    return (await stat(file)).mtimeMs;
  } catch (e) {
    const none = (e as NodeJS.ErrnoException).code === 'ENOENT';
    throw fault(`${file}: ${none ? 'there is no such file' : (e as Error).message}`, e);
  }
}

async function readFile(file: string, reading: Reading): Promise<void> {
  let columns: readonly string[] = [];
  const parser = parse({
    ...{ bom: true, info: true, skip_empty_lines: true },
    columns: (header: string[]) => {
      columns = header.map((name) => name.trim());
      reading.form = formOf(file, columns, reading.form);
      return [...columns];
    },
  });
  const feed = async (): Promise<void> => {
    const source: Readable = createReadStream(file);
    await (file.endsWith('.gz')
      ? pipeline(source, createGunzip(), parser)
      : pipeline(source, plain(file), parser));
  };
  const fed = feed().catch(
    (e: unknown) => void parser.destroy(e instanceof Error ? e : new Error(String(e))),
  );
  try {
    for await (const { record, info } of parser as AsyncIterable<{
      record: Record<string, string>;
      info: { lines: number };
    }>)
      if (reading.form !== undefined)
        take(reading, reading.form, `${file}:${info.lines}`, (c) => record[c] || undefined);
    await fed;
  } catch (e) {
    throw told(file, e);
  }
  if (columns.length === 0) throw fault(`${file}: it is empty`);
}

/** A gzipped file by another name, or Parquet, is told as such. */
function plain(file: string): Transform {
  let first = true;
  return new Transform({
    transform(chunk: Buffer, _, done) {
      const magic = first ? chunk.subarray(0, 4).toString('latin1') : '';
      first = false;
      if (magic.startsWith('\x1f\x8b'))
        done(fault(`${file}: it is gzipped; give it a name that ends in .gz`));
      else if (magic === 'PAR1') done(fault(`${file}: it is Parquet; export CSV, plain or gzipped`));
      else done(null, chunk);
    },
  });
}

function told(file: string, e: unknown): unknown {
  if (e instanceof PortError) return e;
  if (e instanceof CsvError)
    return fault(`${file}:${typeof e.lines === 'number' ? e.lines : 1}: ${e.message}`, e);
  const code = (e as NodeJS.ErrnoException).code ?? '';
  if (code.startsWith('Z_')) return fault(`${file}: its gzip is broken or cut off; fetch it again`, e);
  if (code === 'EISDIR' || code === 'EACCES') return fault(`${file}: ${(e as Error).message}`, e);
  return e;
}

function formOf(file: string, columns: readonly string[], before: Form | undefined): Form {
  if (columns.includes('x_SlurmCluster'))
    throw fault(`${file}: this is Spillway's own export; give the cloud's`);
  const form = forms.find((f) => columns.includes(f.id));
  if (form === undefined)
    throw fault(
      `${file}:1: neither FOCUS 1.2 nor CUR 2.0: there is no column ${forms.map((f) => f.id).join(' or ')}`,
    );
  const missing = form.needed.filter((c) => !columns.includes(c));
  if (missing.length > 0)
    throw fault(`${file}:1: ${form.name} without ${missing.join(', ')}; export those too`);
  if (before !== undefined && before !== form)
    throw fault(`${file}: ${form.name}, and the file before it is ${before.name}: give files of one form`);
  return form;
}

function take(reading: Reading, form: Form, where: string, of: Cells): void {
  const [start, end] = [timeOf(of(form.start)), timeOf(of(form.end))];
  const id = instanceOf.exec(of(form.id) ?? '')?.[1];
  const kind = form.kindOf(of);
  if (kind === 'none') return;
  if (start === undefined || end === undefined)
    throw fault(`${where}: ${form.start}, ${form.end}: no times; they are such as 2026-11-01T00:00:00Z`);
  // What it covers is told by the use of anything, not of instances alone.
  reading.from = Math.min(reading.from, start);
  reading.until = Math.max(reading.until, end);
  if (id === undefined) return;
  const currency = of(form.currency);
  if (currency !== 'USD')
    throw fault(`${where}: ${form.currency}: ${currency ?? 'none'}; prices here are in USD`);
  const column = form.costOf(of);
  const cost = exactOf(of(column) ?? '');
  if (cost === undefined)
    throw fault(`${where}: ${column}: "${of(column) ?? ''}" is no amount; export the column with the others`);
  const sum = reading.sums.get(cloudId(id)) ?? { machine: 0n, besides: 0n };
  reading.sums.set(cloudId(id), sum);
  sum[kind] += cost;
}

/** UTC; AWS's reports also write `2026-11-01 00:00:00.000`. */
function timeOf(text: string | undefined): number | undefined {
  const read = /^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}:\d{2})(?:\.\d+)?(?:Z| UTC|\+00:00)?$/.exec(text ?? '');
  if (read === null) return undefined;
  const at = Date.parse(`${read[1]}T${read[2]}Z`);
  return Number.isNaN(at) ? undefined : at;
}
