/** The line that says how far long work is. */
import { expect, it } from 'vitest';
import { noProgress, progressOn, whileWaiting } from '../../src/cli/progress.ts';

function screen(isTTY: boolean, columns = 80) {
  const written: string[] = [];
  let at = 0;
  const progress = progressOn({ isTTY, columns, write: (text) => written.push(text) }, () => at);
  const later = (ms: number): void => {
    at += ms;
  };
  return { written, progress, later };
}

it('is one line, drawn again ten times a second at most, and taken away at the end', () => {
  const { written, progress, later } = screen(true);
  progress.tick('restoring', 0, 200);
  progress.tick('restoring', 1, 200);
  later(100);
  progress.tick('restoring', 101, 200);
  later(100);
  progress.tick('rows of audit', 1_234_567);
  progress.clear();
  progress.clear();
  expect(written).toEqual([
    `\r\x1b[Krestoring [${'.'.repeat(24)}] 0 %`,
    `\r\x1b[Krestoring [${'#'.repeat(12)}${'.'.repeat(12)}] 50 %`,
    '\r\x1b[Krows of audit: 1,234,567',
    '\r\x1b[K',
  ]);
});

it('is no wider than the terminal, and never beyond 100 %', () => {
  const { written, progress } = screen(true, 10);
  progress.tick('a long name of a log', 3, 2);
  expect(written[0]).toBe('\r\x1b[Ka long na');
  const wide = screen(true, 0);
  wide.progress.tick('x', 3, 2);
  expect(wide.written[0]).toContain('] 100 %');
});

it('is not there where errors go to a file or a pipe', async () => {
  const { written, progress } = screen(false);
  progress.tick('restoring', 1, 2);
  progress.clear();
  expect(await whileWaiting('asking', Promise.resolve(7), progress, async () => undefined)).toBe(7);
  expect(written).toEqual([]);
  expect(progress).toBe(noProgress);
});

it('tells what is waited for until it comes or fails, and hides no failure', async () => {
  const { written, progress } = screen(true);
  let answer: (n: number) => void = () => undefined;
  const work = new Promise<number>((resolve) => {
    answer = resolve;
  });
  const waited = whileWaiting('asking: seconds', work, progress, async () => answer(7));
  expect(await waited).toBe(7);
  expect(written).toEqual(['\r\x1b[Kasking: seconds: 0', '\r\x1b[K']);
  const failed = whileWaiting('asking', Promise.reject(new Error('no')), progress, async () => undefined);
  await expect(failed).rejects.toThrow('no');
});
