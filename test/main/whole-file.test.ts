/** A file that others read while it is replaced. */
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { CommandError } from '../../src/cli/ask.ts';
import { replaceFile } from '../../src/main/whole-file.ts';

let dir: string;
const umask = process.umask();
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'spillway-whole-file-'));
});
afterEach(() => {
  process.umask(umask);
  rmSync(dir, { recursive: true });
});

it('takes the place of what was there, with the rights that were asked for whatever the umask', async () => {
  const to = join(dir, 'balance.json');
  writeFileSync(to, 'old', { mode: 0o600 });
  process.umask(0o077);
  await replaceFile(to, 'new', 0o644);
  expect(readFileSync(to, 'utf8')).toBe('new');
  expect(statSync(to).mode & 0o777).toBe(0o644);
  expect(readdirSync(dir)).toEqual(['balance.json']);
});

it('writes through no link that another put beside it', async () => {
  const [to, theirs] = [join(dir, 'balance.json'), join(dir, 'theirs')];
  writeFileSync(theirs, 'theirs');
  symlinkSync(theirs, `${to}.${process.pid}.new`);
  await replaceFile(to, 'new', 0o644);
  expect(readFileSync(theirs, 'utf8')).toBe('theirs');
  expect(readFileSync(to, 'utf8')).toBe('new');
});

it('leaves the old one and nothing beside it where it cannot, and says which file', async () => {
  const to = join(dir, 'balance.json');
  mkdirSync(to);
  await expect(replaceFile(to, 'new', 0o644)).rejects.toThrow(CommandError);
  expect(readdirSync(dir)).toEqual(['balance.json']);
  await expect(replaceFile(join(dir, 'no', 'where'), 'x', 0o644, '--to where')).rejects.toThrow(
    /^--to where: ENOENT/,
  );
});
