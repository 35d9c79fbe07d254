import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { z } from 'zod';
import { PortError } from '../../src/domain/fault.ts';
import { instant } from '../../src/domain/ids.ts';

/**
 * A backup on disk: a file of gzipped JSON lines for each table, and a manifest, which is written last. So a backup that was cut off
 * has none, and is no backup.
 */
export const manifestSchema = z.strictObject({
  format: z.literal(1),
  /** The moment that it shows, by the database's clock. */
  at: z.int().transform(instant),
  generation: z.string(),
  /** The migrations that made its schema, in order. */
  schema: z.array(z.string()).min(1),
  /** The last anchor in it. */
  anchor: z.int(),
  tables: z.record(z.string().regex(/^[a-z_]+$/), z.strictObject({ rows: z.int(), sha256: z.string() })),
});
export type Manifest = z.output<typeof manifestSchema>;
export type Table = Manifest['tables'][string];

const manifestName = 'manifest.json';
const fileOf = (dir: string, table: string): string => join(dir, `${table}.jsonl.gz`);

export const refused = (text: string, cause?: unknown): PortError =>
  new PortError('refused', 'store.backup', text, { cause });

/** An empty directory, made if need be. */
export async function emptyDirectory(dir: string): Promise<void> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  if ((await readdir(dir)).length > 0)
    throw refused(`${dir} is not empty: write each backup into a directory of its own`);
}

/** One table's rows, each as one line of JSON. */
export async function writeTable(dir: string, table: string, lines: AsyncIterable<string>): Promise<Table> {
  const hash = createHash('sha256');
  let rows = 0;
  async function* counted(): AsyncGenerator<string> {
    for await (const line of lines) {
      rows += 1;
      hash.update(`${line}\n`);
      yield `${line}\n`;
    }
  }
  const path = fileOf(dir, table);
  await pipeline(
    Readable.from(counted()),
    createGzip({ level: 4 }),
    createWriteStream(path, { mode: 0o600 }),
  );
  await synced(path);
  return { rows, sha256: hash.digest('hex') };
}

export async function writeManifest(dir: string, manifest: Manifest): Promise<void> {
  const path = join(dir, manifestName);
  await writeFile(`${path}.new`, `${JSON.stringify(manifest, null, 2)}\n`, { mode: 0o600 });
  await synced(`${path}.new`);
  await rename(`${path}.new`, path);
  await synced(dir);
}

async function synced(path: string): Promise<void> {
  const file = await open(path, 'r');
  await file.sync().finally(() => file.close());
}

export async function readManifest(dir: string): Promise<Manifest> {
  let text: string;
  try {
    text = await readFile(join(dir, manifestName), 'utf8');
  } catch (e) {
    throw refused(`${dir} holds no whole backup (no ${manifestName})`, e);
  }
  const read = manifestSchema.safeParse(parsed(text));
  if (!read.success)
    throw refused(`${dir}/${manifestName} cannot be read: was it written by a newer Spillway?`);
  return read.data;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A table's lines; throws at the end where they are not those that were written. */
export async function* readTable(dir: string, table: string, expected: Table): AsyncGenerator<string> {
  const hash = createHash('sha256');
  let rows = 0;
  const damaged = (cause?: unknown): PortError =>
    refused(`${fileOf(dir, table)} is damaged: it is not what the manifest says`, cause);
  const source = createReadStream(fileOf(dir, table));
  const plain = createGunzip();
  const piped = pipeline(source, plain).catch((e: unknown) => {
    plain.destroy(e instanceof Error ? e : new Error(String(e)));
  });
  try {
    for await (const line of linesOf(plain)) {
      rows += 1;
      hash.update(`${line}\n`);
      yield line;
    }
    await piped;
  } catch (e) {
    throw damaged(e);
  } finally {
    source.destroy();
  }
  if (rows !== expected.rows || hash.digest('hex') !== expected.sha256) throw damaged();
}

/** Lines end at \n alone: Node's own reader also ends them at U+2028, which a job's name may hold. */
async function* linesOf(stream: Readable): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of stream.setEncoding('utf8')) {
    const lines = `${rest}${chunk}`.split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
  if (rest !== '') yield rest;
}
