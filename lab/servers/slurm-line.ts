/** The command lines that a login shell would run: words, an environment, a time limit, a deadline. Not a shell. */

export interface Line {
  readonly argv: readonly string[];
  readonly env: ReadonlyMap<string, string>;
  /** `timeout -s KILL N`. */
  readonly limitSeconds: number | undefined;
  /** Not begun when this second has come; `code` is what is said then. */
  readonly deadline: { readonly second: number; readonly code: number } | undefined;
}

/** What a shell would do more than run one command is not done here. */
export class NoShell extends Error {}

const guard = /^\[ "\$\(date \+%s\)" -lt (\d+) \] \|\| exit (\d+); exec (.*)$/s;

export function readLine(text: string): Line {
  const words = wordsOf(text);
  const [exec, sh, flag, script, ...more] = words;
  if (exec === 'exec' && sh === 'sh' && flag === '-c' && script !== undefined && more.length === 0) {
    const [, second, code, rest] = guard.exec(script) ?? [];
    if (rest === undefined) throw new NoShell('only a deadline and one command');
    return { ...commandOf(wordsOf(rest)), deadline: { second: Number(second), code: Number(code) } };
  }
  return commandOf(words);
}

function commandOf(words: readonly string[]): Line {
  const env = new Map<string, string>();
  let at = 0;
  const next = (): string | undefined => words[at];
  if (next() === 'env') at += 1;
  for (let word = next(); word !== undefined; word = next()) {
    const [, name, value] = /^([A-Za-z_][A-Za-z0-9_]*)=(.*)$/s.exec(word) ?? [];
    if (name === undefined || value === undefined) break;
    env.set(name, value);
    at += 1;
  }
  let limitSeconds: number | undefined;
  if (next() === 'timeout') {
    const [, s, kill, seconds = ''] = words.slice(at);
    if (s !== '-s' || kill !== 'KILL' || !/^\d+$/.test(seconds)) throw new NoShell('only timeout -s KILL N');
    limitSeconds = Number(seconds);
    at += 4;
  }
  return { argv: words.slice(at), env, limitSeconds, deadline: undefined };
}

/** POSIX words: quotes and backslashes as a shell takes them; what a shell would expand or obey is refused. */
export function wordsOf(text: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  for (let i = 0; i < text.length; i += 1) {
    const c = text[i] ?? '';
    if (c === "'") {
      const end = text.indexOf("'", i + 1);
      if (end < 0) throw new NoShell('a quote that does not end');
      word = (word ?? '') + text.slice(i + 1, end);
      i = end;
    } else if (c === '"') {
      const [, inside, all = ''] = /^("((?:[^"\\$`]|\\.)*)")/s.exec(text.slice(i)) ?? [];
      if (inside === undefined) throw new NoShell('a quote that does not end, or holds more than text');
      word = (word ?? '') + all.replace(/\\([\\"$`])/g, '$1').replaceAll('\\\n', '');
      i += inside.length - 1;
    } else if (c === '\\') {
      const escaped = text[i + 1];
      if (escaped !== undefined && escaped !== '\n') word = (word ?? '') + escaped;
      i += 1;
    } else if (/[ \t\n]/.test(c)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (/[|&;<>()$`*?]/.test(c) || (c === '#' && word === undefined))
      throw new NoShell(`${c} is more than a word`);
    else word = (word ?? '') + c;
  }
  if (word !== undefined) words.push(word);
  return words;
}
