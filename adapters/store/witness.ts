import { type FileHandle, mkdir, open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Anchor } from '../../src/domain/anchor.ts';
import { PortError } from '../../src/domain/fault.ts';
import { instant, uuid } from '../../src/domain/ids.ts';
import type { WitnessPort } from '../../src/ports.ts';
import { isWhole } from './anchors.ts';

/**
 * Anchors in files of JSON lines, each file for ten thousand numbers, only ever appended to and written through to the disk. A line
 * that was cut off by a crash is taken away; it comes again, since the store has it.
 */
const perFile = 10_000;
/** More than a line has. */
const tailBytes = 4_096;

const anchor = z
  .strictObject({
    seq: z.int().min(1),
    at: z.int().transform(instant),
    generation: z.string().transform(uuid),
    from: z.int(),
    heads: z.int(),
    root: z.string(),
    prev: z.string(),
    hash: z.string(),
  })
  .readonly();

const nameOf = (seq: number): string =>
  `anchors-${String(Math.floor(seq / perFile) * perFile).padStart(12, '0')}.jsonl`;

export class FileWitness implements WitnessPort {
  private readonly dir: string;

  constructor(dir: string) {
    this.dir = dir;
  }

  async last(): Promise<Anchor | undefined> {
    return this.guarded('last', async () => {
      for (const name of (await filesIn(this.dir)).reverse()) {
        const line = await lastLine(join(this.dir, name));
        if (line !== undefined) return readLine(line, name);
      }
      return undefined;
    });
  }

  append(anchors: readonly Anchor[]): Promise<void> {
    return this.guarded('append', async () => {
      await mkdir(this.dir, { recursive: true, mode: 0o700 });
      const files = new Map<string, string>();
      for (const a of anchors)
        files.set(nameOf(a.seq), `${files.get(nameOf(a.seq)) ?? ''}${JSON.stringify(a)}\n`);
      for (const [name, text] of files) await appendTo(this.dir, name, text);
    });
  }

  private async guarded<T>(method: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (e) {
      if (e instanceof PortError) throw e;
      const text = e instanceof Error ? e.message : String(e);
      throw new PortError('transient', `witness.${method}`, `anchors in ${this.dir}: ${text}`, { cause: e });
    }
  }
}

async function appendTo(dir: string, name: string, text: string): Promise<void> {
  const path = join(dir, name);
  const file = await open(path, 'a+', 0o600);
  try {
    const { size } = await file.stat();
    const whole = await endOfLastLine(file, size);
    if (whole < size) await file.truncate(whole);
    await file.appendFile(text);
    await file.sync();
    if (size > 0) return;
  } finally {
    await file.close();
  }
  // A new file is there after a crash only if its directory says so.
  const directory = await open(dir, 'r');
  await directory.sync().finally(() => directory.close());
}

async function endOfLastLine(file: FileHandle, size: number): Promise<number> {
  const from = Math.max(0, size - tailBytes);
  const tail = await file.read({ position: from, buffer: Buffer.alloc(size - from) });
  return from + tail.buffer.subarray(0, tail.bytesRead).lastIndexOf(0x0a) + 1;
}

async function lastLine(path: string): Promise<string | undefined> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const end = await endOfLastLine(file, size);
    const from = Math.max(0, end - tailBytes);
    const { buffer } = await file.read({ position: from, buffer: Buffer.alloc(end - from) });
    return buffer.toString('utf8').trimEnd().split('\n').at(-1) || undefined;
  } finally {
    await file.close();
  }
}

async function filesIn(dir: string): Promise<string[]> {
  const names = await readdir(dir).catch((e: unknown) => {
    if ((e as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw e;
  });
  return names.filter((n) => /^anchors-\d{12}\.jsonl$/.test(n)).sort();
}

function readLine(line: string, where: string): Anchor {
  const read = anchor.safeParse(parsed(line));
  if (!read.success || !isWhole(read.data))
    throw new PortError('invalid', 'witness.last', `${where}: a line in it is not an anchor, or was changed`);
  return read.data;
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/** A line of the files: the anchor, or undefined where it is none or was changed. */
export interface Exported {
  readonly where: string;
  readonly anchor: Anchor | undefined;
}

/** How far an export went at one moment: its last file, and that one's length. */
export interface ExportEnd {
  readonly name: string;
  readonly size: number;
}

export async function endOfExport(dir: string): Promise<ExportEnd | undefined> {
  const name = (await filesIn(dir)).at(-1);
  return name === undefined ? undefined : { name, size: (await stat(join(dir, name))).size };
}

/** All lines up to `until`, in order; a last line that was cut off is not counted. */
export async function* exported(dir: string, until: ExportEnd | undefined): AsyncGenerator<Exported> {
  if (until === undefined) return;
  for (const name of await filesIn(dir)) {
    if (name > until.name) return;
    const file = await open(join(dir, name), 'r');
    try {
      const { size } = await file.stat();
      const end = await endOfLastLine(file, name === until.name ? Math.min(size, until.size) : size);
      if (end === 0) continue;
      let n = 0;
      for await (const line of file.readLines({ start: 0, end: end - 1, autoClose: false })) {
        const read = anchor.safeParse(parsed(line));
        yield {
          where: `${name}:${++n}`,
          anchor: read.success && isWhole(read.data) ? read.data : undefined,
        };
      }
    } finally {
      await file.close();
    }
  }
}
