/** A batch script as sbatch reads it, with the lines that are ours. Its commands are not understood, but for `module load`. */

import { modulesOf } from './modules.ts';
import { optionsOf, type Problem, type Word, type Written } from './options.ts';
import { misread } from './own.ts';
import { askedOfSrun } from './pyxis.ts';
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
  /** What calls of `srun` in it ask of the plugin pyxis. */
  readonly srun: ReturnType<typeof askedOfSrun>;
  /** What `sbatch --wrap` made a script of. */
  readonly wrapped: string | undefined;
  /** The first line of another batch system's that sbatch reads too: of `#BSUB` and `#PBS` one alone. */
  readonly others: readonly { readonly line: number; readonly word: string }[];
  /** Two components or more. */
  readonly het: boolean;
  /** What sbatch, or Spillway, would not take. */
  readonly problems: readonly Problem[];
  /** Of those, what is said to Spillway and not understood: whoever wrote it means something. */
  readonly unread: readonly Problem[];
  /** Of those, words of `#SBATCH` lines that are not understood; of a script that sbatch took, they mean something too. */
  readonly lost: readonly Problem[];
}

const sbatch = ['#SBATCH', '#SLURM'];
const component = /^\s*(?:hetjob|packjob)(?=\s|$)/i;
/** [slurm: src/sbatch/sbatch.c, _script_wrap] */
const wrap = /^#!\/bin\/sh\n# This script was created by sbatch --wrap\.\n\n([\s\S]*)\n$/;

/** [slurm: src/sbatch/opt.c, _opt_batch_script] */
export function readScript(text: string): Script {
  const lines = text.split('\n').map((line) => line.replace(/\r$/, ''));
  const problems: Problem[] = [];
  const unread: Problem[] = [];
  const broken: Problem[] = [];
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
      if (cut.kind === 'broken') broken.push({ line: at, text: cut.why });
      // A line may hold more words than a call takes arguments.
      else for (const text of cut.words) words.push({ text, line: at });
    } else if (/^#SPILLWAY(\s|$)/.test(line)) ownLine(line, at, { ours, staged, unread });
  }
  const read = optionsOf(words, true);
  const lost = [...broken, ...read.problems];
  return {
    options: read.options,
    ours,
    staged,
    modules: modulesOf(lines),
    srun: askedOfSrun(lines),
    wrapped: wrap.exec(text)?.[1],
    others: othersIn(lines, read.options),
    het,
    problems: [...problems, ...unread, ...lost],
    unread,
    lost,
  };
}

/** `#BSUB` and `#PBS` lines, of which sbatch takes the kind that it finds first in this order. [slurm: src/sbatch/xlate.c, xlate_batch_script] */
const foreign = ['#BSUB', '#PBS'];
/** Lines that are no comments; what stands below them is not looked at. */
const mostCommands = 100;

function othersIn(lines: readonly string[], options: readonly Written[]): Script['others'] {
  if (options.some(({ name }) => name === 'ignore-pbs')) return [];
  const first = new Map<string, number>();
  let commands = 0;
  for (const [index, line] of lines.entries()) {
    const word = foreign.find((one) => line.startsWith(one));
    if (word !== undefined && !first.has(word)) first.set(word, index + 1);
    if (!line.startsWith('#')) commands += 1;
    if (commands > mostCommands) break;
  }
  const word = foreign.find((one) => first.has(one));
  return word === undefined ? [] : [{ line: first.get(word) ?? 0, word }];
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
