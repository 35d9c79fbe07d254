/** The marks of what a script says: those that Slurm does not show of a job too. */
import { unseen } from '../directives/index.ts';
import { hetJob, type Marked, markOf } from '../marks.ts';
import type { Written } from './options.ts';
import { ofPyxis } from './pyxis.ts';
import { lastOf, type Script, written } from './script.ts';

export interface MarkedLine extends Marked {
  /** Of the script, from 1; 0 where it is the script as a whole, or sbatch's command line. */
  readonly line: number;
}

export function marksOfScript(script: Script): readonly MarkedLine[] {
  const nodes = leastNodes(script);
  return [
    ...(script.het ? [{ ...hetJob, line: 0 }] : []),
    ...lastOf(script).map((option) => ({ ...markOfOption(option, nodes), line: option.line })),
    ...ofSrun(script),
  ];
}

/**
 * Of a job in Slurm: the marks of its script of which its record, which tells all else [marks.ts], says nothing. `nodes`: by the record. Words that are
 * not understood in a script that sbatch has taken are marked, too: what follows them may not be what it seems.
 */
export function unseenMarksOf(script: Script, nodes: number): readonly MarkedLine[] {
  const marks = lastOf(script).flatMap((option) => {
    const { directive, value } = option;
    const { line } = option;
    const own = directive !== undefined && !unseen(directive);
    if (own && directive.cases.find((c) => c.holds(value, nodes))?.unseen !== true) return [];
    return [{ ...markOfOption(option, nodes), line }];
  });
  return [...marks, ...ofSrun(script), ...script.lost.map(lost)];
}

const lost = ({ line, text }: Script['lost'][number]): MarkedLine => ({
  ...{ directive: '#SBATCH', value: text, line, mark: 'unsupported' },
  why: 'it is not known what sbatch took it for',
  instead: 'write each option as --option=value',
});

function ofSrun({ srun }: Script): readonly MarkedLine[] {
  return srun.map(({ line, name, value }) => ({
    ...{ directive: `srun --${name}`, value, line, mark: 'unsupported' },
    why: 'srun in the pod starts its tasks in the image of the job, and has no plugin that makes another',
    instead: 'name one image for the whole job (#SBATCH --container-image=IMAGE), and leave it out here',
  }));
}

/** The fewest that it asks for. */
const leastNodes = (script: Script): number =>
  Number(/^(\d{1,6})(?:-.*)?$/.exec(written(script, 'nodes') ?? '')?.[1] ?? 1);

function markOfOption({ name, directive, value }: Written, nodes: number): Marked {
  if (directive !== undefined) return markOf(directive, value, nodes);
  const of = { directive: `--${name}`, value, instead: undefined };
  if (name === 'container-image')
    return {
      ...of,
      mark: 'emulated',
      why: "the pod runs the image itself, without the site's plugin (pyxis)",
    };
  if (ofPyxis(name))
    return {
      ...of,
      mark: 'unsupported',
      why: 'it is about the container that pyxis makes; the pod runs the image as it is, with the mounts of the site and the environment of the job',
      instead: 'leave it out where the script does without',
    };
  return {
    ...of,
    mark: 'unsupported',
    why: 'no option of sbatch 22.05 to 24.11: sbatch refuses it, or a plugin of the site acts on it, which a pod does not have',
    instead: 'leave it out',
  };
}
