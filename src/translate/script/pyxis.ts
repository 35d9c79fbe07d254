/** The options that the plugin pyxis adds to sbatch and srun, and whether they take a value. [pyxis 0.21: args.c, spank_opts] */
export const pyxis: Readonly<Record<string, 'value' | 'nothing'>> = {
  'container-image': 'value',
  'container-mounts': 'value',
  'container-workdir': 'value',
  'container-name': 'value',
  'container-save': 'value',
  'container-env': 'value',
  'container-mount-home': 'nothing',
  'no-container-mount-home': 'nothing',
  'container-remap-root': 'nothing',
  'no-container-remap-root': 'nothing',
  'container-entrypoint': 'nothing',
  'no-container-entrypoint': 'nothing',
  'container-entrypoint-log': 'nothing',
  'container-writable': 'nothing',
  'container-readonly': 'nothing',
};

export const ofPyxis = (name: string): boolean => Object.hasOwn(pyxis, name);

interface OfSrun {
  /** Of the script, from 1. */
  readonly line: number;
  /** Without dashes. */
  readonly name: string;
  readonly value: string;
}

/** As many as are told; one keeps a job at home. */
const most = 10;
const comment = /(^|\s)#.*$/s;

/**
 * What `srun` is asked of pyxis, wherever the script calls it. A call is known by its word; what a variable, a function or a file that is read makes
 * of it is not.
 */
export function askedOfSrun(lines: readonly string[]): readonly OfSrun[] {
  const found: OfSrun[] = [];
  let call: string[] = [];
  for (const [index, line] of lines.entries()) {
    const text = line.replace(comment, '$1');
    const goesOn = text.endsWith('\\');
    call.push(goesOn ? text.slice(0, -1) : text);
    if (goesOn && index < lines.length - 1) continue;
    const whole = call.join(' ');
    const first = index + 2 - call.length;
    call = [];
    if (!whole.includes('srun') || !whole.includes('--')) continue;
    for (const command of whole.split(/[;&|]/)) {
      const words = command.split(/\s+/);
      const at = words.findIndex((word) => /(?:^|[/(`"'])srun$/.test(word));
      if (at !== -1) found.push(...options(words.slice(at + 1), first));
      if (found.length >= most) return found.slice(0, most);
    }
  }
  return found;
}

function options(words: readonly string[], line: number): OfSrun[] {
  return words.flatMap((word, at) => {
    const [, name = '', , joined] = /^["']?--([a-z-]+)(=(.*))?$/s.exec(word) ?? [];
    if (!ofPyxis(name)) return [];
    const value = joined ?? (pyxis[name] === 'value' ? (words[at + 1] ?? '') : '');
    return [{ line, name, value: bare(value) }];
  });
}

/** Without the quotes around it and the bracket that ends its command. No pattern may be tried at every place of what a user writes. */
function bare(value: string): string {
  let [from, to] = [0, value.length];
  while (`"'`.includes(value.charAt(from)) && from < to) from += 1;
  while (to > from && `"')\``.includes(value.charAt(to - 1))) to -= 1;
  return value.slice(from, to);
}
