/** Words into options, as getopt_long(3) does for sbatch: short forms, `=` or the next word, names cut short while they are one's alone. */
import { type Directive, lettered, named, names } from '../directives/index.ts';
import { ofPyxis, pyxis } from './pyxis.ts';

export interface Word {
  readonly text: string;
  /** Of the script, from 1. */
  readonly line: number;
}

export interface Written {
  readonly line: number;
  /** In full, without dashes. */
  readonly name: string;
  /** Undefined: none of sbatch's own; a plugin of the site may know it. */
  readonly directive: Directive | undefined;
  readonly value: string;
}

/** What sbatch would not take. */
export interface Problem {
  readonly line: number;
  readonly text: string;
}

/**
 * `scripts`: words of a script, where a word that is no option can only be the value of what stands before it, and of a plugin's option nobody else
 * knows whether it takes one. Without it such a word is the name of the script, and ends them.
 */
export function optionsOf(
  words: readonly Word[],
  scripts = false,
): {
  readonly options: readonly Written[];
  readonly problems: readonly Problem[];
  /** From the first that is no option on. */
  readonly rest: readonly Word[];
} {
  const options: Written[] = [];
  const problems: Problem[] = [];
  const plugins = (next: () => string | undefined): string => {
    const follows = scripts ? words[at] : undefined;
    return follows === undefined || follows.text.startsWith('-') ? '' : (next() ?? '');
  };
  let at = 0;
  while (at < words.length) {
    const { text, line } = words[at] as Word;
    at += 1;
    const next = (): string | undefined => words[at++]?.text;
    const problem = (why: string): void => void problems.push({ line, text: why });
    if (text.startsWith('--') && text.length > 2) {
      const [, given = '', , value] = /^--([^=]*)(=(.*))?$/s.exec(text) ?? [];
      const found = whole(given);
      if (found.kind === 'several') problem(`--${given} may be ${found.names.join(', ')}: write it in full`);
      else if (found.kind === 'none')
        options.push({ line, name: given, directive: undefined, value: value ?? plugins(next) });
      else if (found.kind === 'pyxis') {
        const { name } = found;
        const own = pyxis[name] === 'value' ? (value ?? next()) : (value ?? '');
        if (own === undefined) problem(`--${name} needs a value`);
        else options.push({ line, name, directive: undefined, value: own });
      } else {
        const { directive } = found;
        const { name, takes } = directive;
        const own = takes === 'value' ? (value ?? next()) : (value ?? '');
        if (takes === 'nothing' && value !== undefined) problem(`--${name} takes no value`);
        else if (own === undefined) problem(`--${name} needs a value`);
        else options.push({ line, name, directive, value: own });
      }
    } else if (text.startsWith('-') && text.length > 1 && text !== '--')
      for (const one of letters(text.slice(1), next)) {
        if ('why' in one) problem(one.why);
        else options.push({ line, ...one });
      }
    else {
      // sbatch stops here and refuses the script.
      problem(`${JSON.stringify(text)} is no option`);
      return { options, problems, rest: words.slice(at - 1) };
    }
  }
  return { options, problems, rest: [] };
}

/** `-Hn4` is `-H -n 4`. */
function letters(
  text: string,
  next: () => string | undefined,
): readonly (Pick<Written, 'name' | 'directive' | 'value'> | { readonly why: string })[] {
  const found: Pick<Written, 'name' | 'directive' | 'value'>[] = [];
  for (let at = 0; at < text.length; at++) {
    const letter = text.charAt(at);
    const directive = lettered(letter);
    if (directive === undefined) return [...found, { why: `-${letter} is no option of sbatch` }];
    const { name, takes } = directive;
    if (takes === 'nothing') {
      found.push({ name, directive, value: '' });
      continue;
    }
    const rest = text.slice(at + 1);
    const value = rest !== '' || takes === 'maybe' ? rest : next();
    return [...found, value === undefined ? { why: `-${letter} needs a value` } : { name, directive, value }];
  }
  return found;
}

type Found =
  | { readonly kind: 'one'; readonly directive: Directive }
  | { readonly kind: 'pyxis'; readonly name: string }
  | { readonly kind: 'several'; readonly names: readonly string[] }
  | { readonly kind: 'none' };

const all = [...names, ...Object.keys(pyxis)];

/** A name as sbatch finds it, without dashes and whatever follows `=`. */
export function whole(given: string): Found {
  const found = (name: string): Found => {
    const directive = named(name);
    if (directive !== undefined) return { kind: 'one', directive };
    return ofPyxis(name) ? { kind: 'pyxis', name } : { kind: 'none' };
  };
  const exact = found(given);
  if (exact.kind !== 'none' || given === '') return exact;
  const near = all.filter((name) => name.startsWith(given));
  const [first, ...others] = [...new Set(near.map((name) => named(name) ?? name))];
  if (first === undefined) return exact;
  return others.length === 0 ? found(near[0] ?? given) : { kind: 'several', names: near };
}
