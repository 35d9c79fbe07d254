import type { ShapeRule } from '../rule.ts';
import { pairOf } from '../words.ts';
import { helps } from './reason.ts';

const both = pairOf((reason: string, partition: string) => `${reason}|${partition}`);

/** Bursting helps a job that waits for resources or for its turn, not one that waits for something else. */
export const pendingReason: ShapeRule = {
  name: 'pending-reason',
  of: 'shape',
  otherwise: 'wait',
  key: ({ reason, partition }) => both(reason, partition),
  judge({ job, setup }) {
    const explicit = setup.explicit !== undefined && job.partition.split(',').includes(setup.explicit);
    const measured = job.reason === '' ? 'no reason shown' : job.reason;
    const limit = explicit
      ? 'waits for resources, its turn, or because its partition is DOWN'
      : 'waits for resources or its turn';
    return { pass: helps(job.reason, explicit), measured, limit };
  },
};
