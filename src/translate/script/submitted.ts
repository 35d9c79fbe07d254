/** What sbatch's own command line says, as slurmdbd keeps it: it comes before the script's lines, and nothing else shows these. */
import type { JobDetail } from '../../domain/job.ts';
import { unseen, unseenValues } from '../directives/index.ts';
import { optionsOf, type Problem, whole } from './options.ts';
import type { Script } from './script.ts';

/** What of a job's record was written on its command line: it tells how that is cut. */
export type Recorded = Pick<JobDetail, 'command' | 'name' | 'comment'>;

/**
 * `line`: the words of the call with single spaces between them, quotes lost; undefined: not known. Where the job's record tells what stood in quotes
 * they are put back, and where it tells which word is the script's name the words after it are the script's. What else a lost quote makes
 * unclear is not guessed: an option behind it that nothing else shows is `unread`. [slurm: src/common/slurm_opt.c, slurm_option_get_argv_str]
 */
export function withCommandLine(script: Script, line: string | undefined, job?: Recorded): Script {
  if (line === undefined) return script;
  const all = wordsOf(line).slice(1);
  const end = job === undefined ? undefined : scriptsPlace(all, job.command);
  const texts = [job?.name, job?.comment, script.wrapped].flatMap((text) => {
    const words = wordsOf(text ?? '');
    return words.length > 1 && words.length <= longestText && all.length <= longestLine ? [words] : [];
  });
  const words = joined(all.slice(0, end), texts);
  const { options, rest } = optionsOf(words.map((text) => ({ text, line: 0 })));
  const found = options.filter(({ directive }) => directive === undefined || unseenValues(directive));
  const unread = unclear(
    rest.map(({ text }) => text),
    end !== undefined,
  );
  if (found.length === 0 && unread.length === 0) return script;
  return {
    ...script,
    options: [...script.options, ...found],
    problems: [...script.problems, ...unread],
    unread: [...script.unread, ...unread],
  };
}

/** In words. A text is held against the line at each word of it; of a longer one, or in a longer line, what stood in quotes is unclear. */
const longestText = 200;
const longestLine = 10_000;

const wordsOf = (text: string): string[] => text.split(/\s+/).filter((word) => word !== '');

/** Where the script's name stands, by the record, which has its whole path and what it is called with; all are options of one that came by no name. */
function scriptsPlace(words: readonly string[], command: string): number | undefined {
  const called = wordsOf(command);
  if (called.length === 0 || command === '(null)') return words.length;
  let place: number | undefined;
  // Each step back takes one more of its last words for an argument.
  for (let back = 1; back <= Math.min(words.length, called.length); back++) {
    const [word = '', path = ''] = [words.at(-back), called.at(-back)];
    if (path.endsWith(`/${word}`) || (word === path && back === called.length)) place = words.length - back;
    if (word !== path) break;
  }
  return place;
}

/** Words that stand in the record as one value are one word. */
function joined(words: readonly string[], texts: readonly (readonly string[])[]): readonly string[] {
  const found: string[] = [];
  for (let at = 0; at < words.length; ) {
    const word = words[at] ?? '';
    // `--name=value`, `-Jvalue`, or the value alone.
    const begins = [word, word.replace(/^--[^=]*=/, ''), word.replace(/^-[A-Za-z]/, '')];
    const text = texts.find(
      ([first = '', ...more]) =>
        begins.includes(first) && more.every((other, n) => words[at + 1 + n] === other),
    );
    const length = text?.length ?? 1;
    found.push(words.slice(at, at + length).join(' '));
    at += length;
  }
  return found;
}

/** `known`: none of the words is the script's own. */
function unclear([first = '', ...rest]: readonly string[], known: boolean): readonly Problem[] {
  const option = rest.find((word) => {
    const [, given] = /^--([^=]+)/.exec(word) ?? [];
    if (given === undefined) return false;
    const found = whole(given);
    if (found.kind === 'one') return unseen(found.directive);
    return found.kind === 'pyxis' || /^(?:no-)?container-/.test(given) || (known && found.kind === 'none');
  });
  if (option === undefined) return [];
  const text = `whether ${cut(option)} is an option or part of a value cannot be told: it stands behind ${JSON.stringify(cut(first))}, and slurmdbd keeps no quotes; write it into the script (#SBATCH)`;
  return [{ line: 0, text }];
}

const cut = (text: string): string => (text.length > 200 ? `${text.slice(0, 200)}…` : text);
