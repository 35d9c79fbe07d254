/** The marks of what a script says: those that Slurm does not show of a job too. */
import { hetJob, type Marked, markOf } from '../marks.ts';
import type { Written } from './options.ts';
import { lastOf, type Script } from './script.ts';

export interface MarkedLine extends Marked {
  /** Of the script, from 1; 0 where it is the script as a whole. */
  readonly line: number;
}

export function marksOfScript(script: Script): readonly MarkedLine[] {
  return [
    ...(script.het ? [{ ...hetJob, line: 0 }] : []),
    ...lastOf(script).map((option) => ({ ...markOfOption(option), line: option.line })),
  ];
}

function markOfOption({ name, directive, value }: Written): Marked {
  if (directive !== undefined) return markOf(directive, value);
  const of = { directive: `--${name}`, value, instead: undefined };
  if (name === 'container-image')
    return {
      ...of,
      mark: 'emulated',
      why: "the pod runs the image itself, without the site's plugin (pyxis)",
    };
  return {
    ...of,
    mark: 'unsupported',
    why: 'no option of sbatch 22.05 to 24.11: sbatch refuses it, or a plugin of the site acts on it, which a pod does not have',
    instead: 'leave it out',
  };
}
