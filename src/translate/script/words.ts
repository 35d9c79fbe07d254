/** One line after `#SBATCH` as sbatch cuts it into words. [slurm: src/sbatch/opt.c, get_argument] */
export type Words =
  | { readonly kind: 'words'; readonly words: readonly string[] }
  | { readonly kind: 'broken'; readonly why: string };

/**
 * Space separates, quotes of both kinds join, a backslash takes the next character as it is, and an unquoted `#` ends the line, also
 * within a word.
 */
export function wordsOf(text: string): Words {
  const words: string[] = [];
  let word: string | undefined;
  let quote = '';
  for (let i = 0; i < text.length; i++) {
    const c = text.charAt(i);
    if (c === '\\') {
      i += 1;
      if (i < text.length) word = `${word ?? ''}${text.charAt(i)}`;
    } else if (quote !== '') {
      if (c === quote) quote = '';
      else word = `${word ?? ''}${c}`;
    } else if (c === '"' || c === "'") quote = c;
    else if (c === '#') break;
    else if (/\s/.test(c)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = `${word ?? ''}${c}`;
  }
  if (quote !== '') return { kind: 'broken', why: `a ${quote} is not closed` };
  if (word !== undefined) words.push(word);
  return { kind: 'words', words };
}
