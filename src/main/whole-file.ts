import { open, rename, rm } from 'node:fs/promises';
import { CommandError } from '../cli/ask.ts';

/** Puts `text` at `to` in one step: whoever reads finds the old file or the new one, whole. `named`: how the path was given, for the error. */
export async function replaceFile(to: string, text: string, mode: number, named = to): Promise<void> {
  const made = `${to}.${process.pid}.new`;
  try {
    // What another put there, a link too, is not written through.
    await rm(made, { force: true });
    const file = await open(made, 'wx', mode);
    try {
      await file.writeFile(text);
      // Whoever may read it may, whatever the umask.
      await file.chmod(mode);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(made, to);
  } catch (e) {
    await rm(made, { force: true }).catch(() => undefined);
    throw new CommandError(`${named}: ${(e as Error).message}`);
  }
}
