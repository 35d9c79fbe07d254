/** What is shown of a program's output steers nothing. */
import { describe, expect, it } from 'vitest';
import { overwritten, plainText, unfinished } from '../../src/domain/plain-text.ts';

describe('plain text', () => {
  it.each([
    ['\x1b[1;31mred\x1b[0m', 'red'],
    ['\x1b]0;a title\x07text', 'text'],
    ['\x1b]8;;https://evil.example.org\x1b\\link\x1b]8;;\x1b\\', 'link'],
    ['\x1b]0;never ends\nnext', '\nnext'],
    ['\x1b[2J\x1b[Hgone', 'gone'],
    ['\x1bP1$r0m\x1b\\x', 'x'],
    ['\x1bcx\x1b(By\x1b7z', 'xyz'],
    ['bell\x07 back\b tab\t\x9b31mC1', 'bell back tab\t31mC1'],
    ['cut off \x1b[31', 'cut off '],
    ['<b onclick="x">ä€😀</b>\r\n', '<b onclick="x">ä€😀</b>\r\n'],
  ])('of %j is %j', (from, to) => {
    expect(plainText(from)).toBe(to);
  });

  it('comes out the same wherever a sequence is torn', () => {
    const text = 'a\x1b[1;31mb\x1b]0;t\x07c\x1b]8;;u\x1b\\d\x1b(Be';
    for (let cut = 0; cut <= text.length; cut++) {
      const first = text.slice(0, cut);
      const torn = unfinished(first);
      const shown =
        plainText(first.slice(0, first.length - torn)) +
        plainText(first.slice(first.length - torn) + text.slice(cut));
      expect([cut, shown]).toEqual([cut, 'abcde']);
    }
  });

  it('takes time in proportion to its length', () => {
    const hostile = ['\x1b]', '\x1b[', '\x1b[1;', '\x1b ', '\r', 'x\r'].map((s) => s.repeat(200_000));
    for (const text of hostile) {
      expect(plainText(text).length).toBeLessThanOrEqual(text.length);
      expect(unfinished(text)).toBeLessThanOrEqual(256);
      expect(overwritten(text).length).toBeLessThanOrEqual(text.length);
    }
  });
});

it('a progress bar is what it came to, and an end of line is one', () => {
  expect(overwritten('a\r\n10 %\r50 %\r100 %\nb\r')).toBe('a\n100 %\nb');
});
