/** A batch script as sbatch reads it, with the lines that are ours. Its commands are not understood, but for `module load`. */
import { optionsOf, type Problem, type Word, type Written } from './options.ts';
import { misread } from './own.ts';
import { isStagingKey, type StagedPath, stagedWord } from './staged.ts';
import { wordsOf } from './words.ts';

interface Own {
  readonly line: number;
  readonly key: string;
  readonly value: string;
}

export interface Script {
  /** Of `#SBATCH` lines before the first command, in their order. */
  readonly options: readonly Written[];
  /** `#SPILLWAY key=value`, likewise. */
  readonly ours: readonly Own[];
  /** Of those, the data that the job says it needs and makes. */
  readonly staged: readonly StagedPath[];
  /** As in `module load openmpi/4.1`, wherever it stands; a name that a variable makes is not known. */
  readonly modules: readonly string[];
  /** Two components or more. */
  readonly het: boolean;
  /** What sbatch, or Spillway, would not take. */
  readonly problems: readonly Problem[];
  /** Of those, what is said to Spillway and not understood: whoever wrote it means something. */
  readonly unread: readonly Problem[];
}

const sbatch = ['#SBATCH', '#SLURM'];
const component = /^\s*(?:hetjob|packjob)(?=\s|$)/i;

/** [slurm: src/sbatch/opt.c, _opt_batch_script] */
export function readScript(text: string): Script {
  const lines = text.split('\n').map((line) => line.replace(/\r$/, ''));
  const problems: Problem[] = [];
  const unread: Problem[] = [];
  const words: Word[] = [];
  const ours: Own[] = [];
  const staged: StagedPath[] = [];
  let het = false;
  if (!text.startsWith('#!'))
    problems.push({ line: 1, text: 'a batch script begins with #!, such as #!/bin/bash' });
  for (const [index, line] of lines.entries()) {
    const at = index + 1;
    if (/^\s*[^\s#]/.test(line)) break;
    const magic = sbatch.find((word) => line.startsWith(word));
    if (magic !== undefined) {
      const rest = line.slice(magic.length);
      // What follows is the next component's; nothing of one is moved anyhow.
      if (component.test(rest)) het = true;
      if (het) continue;
      const cut = wordsOf(rest);
      if (cut.kind === 'broken') problems.push({ line: at, text: cut.why });
      // A line may hold more words than a call takes arguments.
      else for (const text of cut.words) words.push({ text, line: at });
    } else if (/^#SPILLWAY(\s|$)/.test(line)) ownLine(line, at, { ours, staged, unread });
  }
  const read = optionsOf(words);
  return {
    options: read.options,
    ours,
    staged,
    modules: modulesOf(lines),
    het,
    problems: [...problems, ...unread, ...read.problems],
    unread,
  };
}

interface OwnLines {
  readonly ours: Own[];
  readonly staged: StagedPath[];
  readonly unread: Problem[];
}

function ownLine(line: string, at: number, { ours, staged, unread }: OwnLines): void {
  const cut = wordsOf(line.slice('#SPILLWAY'.length));
  if (cut.kind === 'broken') unread.push({ line: at, text: `#SPILLWAY: ${cut.why}` });
  else
    for (const word of cut.words) {
      const [, key = '', value = ''] = /^([^=]+)=(.+)$/s.exec(word) ?? [];
      if (isStagingKey(key)) {
        const wrong = stagedWord(staged, key, value, at);
        if (wrong !== undefined) unread.push({ line: at, text: `#SPILLWAY ${word} ${wrong}` });
        continue;
      }
      const wrong = misread(key, value);
      if (wrong === undefined) ours.push({ line: at, key, value });
      else unread.push({ line: at, text: `#SPILLWAY ${word}: ${wrong}` });
    }
}

/** Whoever may submit writes what these two see, megabytes of it: no part of them may be tried at every place of a line. */
const load = /^(?:module\s+(?:load|add)|ml(?:\s+(?:load|add))?)\s+(\S.*)$/s;
const comment = /(^|\s)#.*$/s;
/** `ml avail` and its like load nothing. */
const others = new Set([
  'avail',
  'av',
  'list',
  'spider',
  'purge',
  'unload',
  'rm',
  'swap',
  'show',
  'use',
  'unuse',
  'help',
  'whatis',
  'reset',
  'restore',
  'save',
]);

function modulesOf(lines: readonly string[]): readonly string[] {
  const found = lines.flatMap((line) =>
    line
      .replace(comment, '')
      .split(/;|&&|\|\|?/)
      .flatMap((command) => {
        const [, rest = ''] = load.exec(command.trim()) ?? [];
        const words = rest.split(/\s+/).map((word) => word.replace(/^(["'])(.*)\1$/, '$2'));
        if (others.has(words[0] ?? '')) return [];
        return words.filter((word) => /^[A-Za-z0-9][^$`<>()]*$/.test(word));
      }),
  );
  return [...new Set(found)];
}

/** Of each option the last counts, as with sbatch. */
export function lastOf(script: Script): readonly Written[] {
  return [...new Map(script.options.map((o) => [o.name, o])).values()];
}

export const writtenAll = (script: Script, name: string): readonly string[] =>
  script.options.filter((o) => o.name === name).map((o) => o.value);

export const written = (script: Script, name: string): string | undefined =>
  script.options.findLast((o) => o.name === name)?.value;

/** And what stands on sbatch's command line, which comes before the script's lines; on line 0. What of it sbatch would not take is in `problems`. */
export function withOptions(script: Script, words: readonly string[]): Script {
  const { options, problems } = optionsOf(words.map((text) => ({ text, line: 0 })));
  return {
    ...script,
    options: [...script.options, ...options],
    problems: [...script.problems, ...problems],
  };
}
