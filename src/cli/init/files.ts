/** The files that `init` makes: each is recorded with its hash before it is written, written whole or not at all, and never over another. */
import { createHash } from 'node:crypto';
import { link, lstat, mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { CommandError } from '../ask.ts';

export const manifestName = '.spillway-init.json';

export interface NewFile {
  readonly name: string;
  readonly text: string;
  /** Readable by its owner alone. */
  readonly secret?: boolean;
}

const manifest = z.strictObject({
  version: z.literal(1),
  /** Directories that were made for it, the outermost first. */
  dirs: z.array(z.string().regex(/^\//)),
  /** Where `serve` will keep its store, unless one was there before; and whether the directory itself was. */
  data: z.strictObject({ dir: z.string().regex(/^\//), wasThere: z.boolean() }).optional(),
  /** Whose authorized_keys holds the key that was made. */
  login: z.strictObject({ host: z.string(), user: z.string(), line: z.string() }).optional(),
  files: z.array(
    z.strictObject({
      // In this directory and nowhere else, whoever wrote this line.
      name: z.string().regex(/^[A-Za-z0-9_][A-Za-z0-9_.-]*$/),
      sha256: z.string().regex(/^[0-9a-f]{64}$/),
    }),
  ),
});
export type Manifest = z.output<typeof manifest>;

export const hashOf = (text: string | Buffer): string => createHash('sha256').update(text).digest('hex');

const there = (path: string): Promise<boolean> =>
  lstat(path).then(
    () => true,
    (e: NodeJS.ErrnoException) => {
      if (e.code === 'ENOENT' || e.code === 'ENOTDIR') return false;
      throw new CommandError(`${path}: ${e.message}`);
    },
  );

/**
 * The record names a key that is taken for init's own, and a directory that may lie anywhere: only who could do the same is believed, and root by
 * nobody else.
 */
async function refuseOthers(path: string, account: number | undefined): Promise<void> {
  const seen = await lstat(path).catch(() => undefined);
  if (seen === undefined || account === undefined) return;
  if (!seen.isFile()) throw new CommandError(`${path} is no file; remove by hand what init made there`);
  if (seen.uid !== account)
    throw new CommandError(
      `${path} belongs to account ${seen.uid}: run it as that account, which ran init, or write into another --dir`,
    );
}

/** Undefined: init made nothing there. Throws CommandError for one that is none, or another account's. */
export async function manifestIn(
  dir: string,
  account: number | undefined = process.geteuid?.(),
): Promise<Manifest | undefined> {
  const path = join(dir, manifestName);
  await refuseOthers(path, account);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (e) {
    const { code, message } = e as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new CommandError(`${path}: ${message}`);
  }
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch {
    raw = undefined;
  }
  const read = manifest.safeParse(raw);
  if (read.success) return read.data;
  throw new CommandError(`${path} is not as init wrote it; remove by hand what init made there`);
}

/** Before anything is asked of anybody. Throws CommandError where one of them is there already. */
export async function refuseTaken(
  dir: string,
  names: readonly string[],
  known: Manifest | undefined,
): Promise<void> {
  for (const name of names) {
    // What is recorded and not there was removed by hand, or is about to be written by another init.
    const ours = known?.files.some((f) => f.name === name) === true;
    if (!ours && !(await there(join(dir, name)))) continue;
    throw new CommandError(
      ours
        ? `${join(dir, name)} was written by init before: spillway init --undo --dir ${dir} takes it away, or write into another --dir`
        : `${join(dir, name)} is there already, and not by init: move it away, or write into another --dir`,
    );
  }
}

/** Adds `files` to what init has made in `dir`. Throws CommandError where one of them is there, or the directory cannot be written to. */
export async function putFiles(
  dir: string,
  files: readonly NewFile[],
  about: Pick<Manifest, 'data' | 'login'> = {},
): Promise<Manifest> {
  try {
    // Passed through by other accounts, as by that of the embedded Postgres, and listed by nobody else.
    const first = await mkdir(dir, { recursive: true, mode: 0o711 });
    const known = await manifestIn(dir);
    await refuseTaken(
      dir,
      files.map((f) => f.name),
      known,
    );
    const made: Manifest = {
      version: 1,
      dirs: known?.dirs ?? dirsFrom(first, dir),
      data: about.data ?? known?.data,
      login: about.login ?? known?.login,
      files: [...(known?.files ?? []), ...files.map(({ name, text }) => ({ name, sha256: hashOf(text) }))],
    };
    // The record comes first: whatever is killed in between, what is there can be taken away again.
    await record(dir, made, known !== undefined);
    for (const file of files) await put(dir, file);
    return made;
  } catch (e) {
    if (e instanceof CommandError) throw e;
    const { code, message } = e as NodeJS.ErrnoException;
    if (code === undefined) throw e;
    throw new CommandError(`${dir}: ${message}; write into a directory of your own with --dir`);
  }
}

function dirsFrom(first: string | undefined, dir: string): string[] {
  if (first === undefined) return [];
  const dirs: string[] = [];
  for (let at = dir; at.length >= first.length; at = dirname(at)) dirs.unshift(at);
  return dirs;
}

let parts = 0;
/** What a write that was killed leaves beside the file: a name that no other write has. */
const partOf = (name: string): string => `.${name}.${process.pid}-${++parts}.part`;

/** Takes those away. */
export async function sweepParts(dir: string, name: string): Promise<void> {
  for (const one of await readdir(dir))
    if (one.startsWith(`.${name}.`) && /^\d+-\d+\.part$/.test(one.slice(name.length + 2)))
      await rm(join(dir, one), { force: true });
}

async function put(dir: string, { name, text, secret = false }: NewFile): Promise<void> {
  const part = join(dir, partOf(name));
  await whole(part, text, secret);
  try {
    // Unlike a rename, a link takes nobody's place.
    await link(part, join(dir, name));
  } catch (e) {
    if ((e as NodeJS.ErrnoException).code !== 'EEXIST') throw e;
    throw new CommandError(
      `${join(dir, name)} came in between, and not by init: nothing was written over it`,
    );
  } finally {
    await rm(part, { force: true });
  }
}

async function record(dir: string, made: Manifest, replaces: boolean): Promise<void> {
  const file = { name: manifestName, text: `${JSON.stringify(made, undefined, 2)}\n`, secret: true };
  if (!replaces) {
    await put(dir, file);
    return;
  }
  const part = join(dir, partOf(manifestName));
  await whole(part, file.text, true);
  await rename(part, join(dir, manifestName));
}

async function whole(path: string, text: string, secret: boolean): Promise<void> {
  const file = await open(path, 'wx', secret ? 0o600 : 0o644);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Only what is left is recorded from now on. */
export async function keepOnly(dir: string, left: Manifest): Promise<void> {
  await record(dir, left, true);
}
