import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ensurePackages } from '../lab/real/apt.ts';
import { must } from '../lab/real/proc.ts';

/** A package index far away, and in CI the lab beside it. */
const patientMs = 800_000;

/** Debian's own Python, with what makes environments of it. */
export async function debianPython(): Promise<string> {
  await ensurePackages(['python3-venv'], () => undefined);
  return '/usr/bin/python3';
}

/** Makes, once, an environment of Python's at `dir` with what each of `pips` says to install, in that order; the file `ready` in it says that it is whole, and of what. */
export async function ensureVenv(
  dir: string,
  python: () => Promise<string> | string,
  pips: readonly (readonly string[])[],
  finish: () => Promise<void> = async () => undefined,
): Promise<void> {
  const ready = join(dir, 'ready');
  const what = JSON.stringify(pips);
  if (existsSync(ready) && (await readFile(ready, 'utf8')) === what) return;
  await rm(dir, { recursive: true, force: true });
  await must([await python(), '-m', 'venv', dir], { timeoutMs: patientMs });
  const pip = [join(dir, 'bin', 'python'), '-m', 'pip', 'install', '-q', '--disable-pip-version-check'];
  for (const packages of pips) await must([...pip, ...packages], { timeoutMs: patientMs });
  await finish();
  await writeFile(ready, what);
}
