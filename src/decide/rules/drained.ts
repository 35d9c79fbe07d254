import type { ShapeRule } from '../rule.ts';
import { groupFor, size } from './size.ts';

/** The only node groups that hold it are drained by a person: it waits until one is resumed. */
export const drained: ShapeRule = {
  name: 'drained',
  of: 'shape',
  otherwise: 'wait',
  key: (job, turn) => ((turn.drained?.size ?? 0) === 0 ? '' : size.key(job, turn)),
  judge({ job, groups, drained: of }) {
    const limit = 'a node group that holds it is not drained';
    // Those that are drained come last.
    const name = of === undefined || of.size === 0 ? undefined : groupFor(job, groups)?.group.name;
    const words = name === undefined ? undefined : of?.get(name);
    return { pass: words === undefined, measured: words ?? 'not drained', limit };
  },
};
