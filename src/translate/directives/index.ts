/** Every option of sbatch(1), 22.05 to 24.11. [slurm-22-05-8-1 and slurm-24-11-5-1: doc/man/man1/sbatch.1, src/common/slurm_opt.c] */
import { cpus } from './cpus.ts';
import { devices } from './devices.ts';
import type { Directive, Meaning } from './directive.ts';
import { nodes } from './nodes.ts';
import { order } from './order.ts';
import { run } from './run.ts';
import { submission } from './submission.ts';

export { type Case, type Directive, type JobShown, type Mark, type Meaning, marks } from './directive.ts';

export const directives: readonly Directive[] = [
  ...submission,
  ...order,
  ...nodes,
  ...cpus,
  ...devices,
  ...run,
].sort((a, b) => (a.name < b.name ? -1 : 1));

const byName = new Map(directives.flatMap((d) => [d.name, ...d.same].map((name) => [name, d] as const)));
const byShort = new Map(directives.flatMap((d) => (d.short === undefined ? [] : [[d.short, d] as const])));

export const named = (name: string): Directive | undefined => byName.get(name);
export const lettered = (letter: string): Directive | undefined => byShort.get(letter);
export const names: readonly string[] = [...byName.keys()];

/** What the option means with this value, of a job of so many nodes. */
export function meaningOf(directive: Directive, value: string, nodes = 1): Meaning {
  return directive.cases.find((c) => c.holds(value, nodes)) ?? directive;
}

/** Of which Slurm's record says nothing, and of which something else than `exact` can come. */
export const unseen = ({ shown, shownBy, cases, mark }: Directive): boolean =>
  shown === undefined &&
  shownBy === undefined &&
  [mark, ...cases.map((c) => c.mark)].some((m) => m !== 'exact');

/** And that of which it says the same of two values that are two things here. */
export const unseenValues = (directive: Directive): boolean =>
  unseen(directive) || directive.cases.some((c) => c.unseen === true);
