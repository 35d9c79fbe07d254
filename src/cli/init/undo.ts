/** `spillway init --undo`: takes away what init made, and nothing that somebody has changed since. */
import { lstat, readFile, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { CommandError } from '../ask.ts';
import { hashOf, keepOnly, type Manifest, manifestIn, manifestName, sweepParts } from './files.ts';

export interface UndoOrder {
  readonly dir: string;
  /** What was changed, and the store of a gateway, go too. */
  readonly force: boolean;
}

/** Whether a database runs on a data directory. */
export type Runs = (dataDir: string) => Promise<boolean>;

/** What `serve` makes in its data directory; all else there is somebody's own. */
export const storeParts = ['postgres', 'audit'];

/** `clean`: nothing is left. Throws CommandError where init made nothing, another account made it, or a gateway still runs. */
export async function undo(
  { dir, force }: UndoOrder,
  runs: Runs,
  account: number | undefined = process.geteuid?.(),
): Promise<{ readonly clean: boolean; readonly lines: readonly string[] }> {
  const made = await manifestIn(dir, account);
  if (made === undefined)
    throw new CommandError(`${dir} has no ${manifestName}: init made nothing there; say where with --dir`);
  const lines: string[] = [];
  const data = await storeOf(made, force, runs, lines);
  const kept: Manifest['files'] = [];
  for (const file of made.files) {
    await sweepParts(dir, file.name);
    if (await takeAway(dir, file, force, lines)) continue;
    kept.push(file);
  }
  if (made.login !== undefined && !kept.some((f) => f.name.startsWith('id_'))) {
    const { host, user, line } = made.login;
    lines.push(
      `${host}: init writes nothing there; if you put its key into ${user}'s authorized_keys, take this line out of it:`,
      `  ${line}`,
    );
  }
  if (kept.length > 0 || !data) {
    await keepOnly(dir, { ...made, files: kept, data: data ? undefined : made.data });
    lines.push('What was kept goes with spillway init --undo --force.');
    return { clean: false, lines };
  }
  await sweepParts(dir, manifestName);
  await rm(join(dir, manifestName));
  for (const one of [...made.dirs].reverse()) await removeEmpty(one, lines);
  return { clean: true, lines };
}

/** Whether it is gone. */
async function takeAway(
  dir: string,
  { name, sha256 }: Manifest['files'][number],
  force: boolean,
  lines: string[],
): Promise<boolean> {
  const path = join(dir, name);
  const seen = await lstat(path).catch(() => undefined);
  if (seen === undefined) {
    lines.push(`gone already: ${path}`);
    return true;
  }
  const same = seen.isFile() && hashOf(await readFile(path)) === sha256;
  if (!same && !force) {
    lines.push(`kept: ${path}, which somebody changed since`);
    return false;
  }
  if (seen.isDirectory()) {
    lines.push(`kept: ${path} is a directory now; remove it by hand`);
    return false;
  }
  // Of a link the link alone.
  await rm(path).catch((e: Error) => {
    throw new CommandError(`${e.message}: run it as the account that ran init, and again`);
  });
  lines.push(`removed: ${path}${same ? '' : ', which somebody had changed'}`);
  return true;
}

/** Whether the store is gone, or never was. */
async function storeOf(made: Manifest, force: boolean, runs: Runs, lines: string[]): Promise<boolean> {
  if (made.data === undefined) return true;
  const { dir: dataDir, wasThere } = made.data;
  const parts: string[] = [];
  for (const part of storeParts)
    if ((await lstat(join(dataDir, part)).catch(() => undefined))?.isDirectory() === true) parts.push(part);
  if (parts.length > 0) {
    if (await runs(dataDir))
      throw new CommandError(
        `a database runs in ${dataDir}: stop the gateway (spillway serve) first; nothing was removed`,
      );
    if (!force) {
      lines.push(`kept: ${dataDir}, the store of a gateway with its receipts`);
      return false;
    }
    for (const part of parts)
      await rm(join(dataDir, part), { recursive: true }).catch((e: Error) => {
        throw new CommandError(`${e.message}: run it as the account that served, and again`);
      });
    lines.push(`removed: ${parts.map((part) => join(dataDir, part)).join(', ')}, the store of a gateway`);
  }
  if (!wasThere) await removeEmpty(dataDir, lines);
  return true;
}

async function removeEmpty(dir: string, lines: string[]): Promise<void> {
  try {
    await rmdir(dir);
    lines.push(`removed: ${dir}`);
  } catch (e) {
    const { code } = e as NodeJS.ErrnoException;
    if (code === 'ENOENT') return;
    lines.push(
      `kept: ${dir}, ${code === 'ENOTEMPTY' || code === 'EEXIST' ? 'where something else lies' : (e as Error).message}`,
    );
  }
}
