/** What sbatch's own command line says, as slurmdbd keeps it: it comes before the script's lines, and nothing else shows these. */
import { optionsOf } from './options.ts';
import type { Script } from './script.ts';

/** All other options are in the job's record. */
const unseen = new Set(['signal', 'container-image']);

/**
 * `line`: the words of the call with single spaces between them, quotes lost; undefined: not known. Read up to the script's name, or to whatever is no
 * option: what a lost quote makes unclear is not read on. [slurm: src/common/cli_filter.c and slurm_opt.c, the submit line]
 */
export function withCommandLine(script: Script, line: string | undefined): Script {
  if (line === undefined) return script;
  const [, ...words] = line.split(' ').filter((word) => word !== '');
  const { options } = optionsOf(words.map((text) => ({ text, line: 0 })));
  const found = options.filter(({ name }) => unseen.has(name));
  return found.length === 0 ? script : { ...script, options: [...script.options, ...found] };
}
