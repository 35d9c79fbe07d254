import type { ShapeRule } from '../rule.ts';

/** Only jobs of a watched partition, or those that asked for the cloud by name, are ours to look at. */
export const partition: ShapeRule = {
  name: 'partition',
  of: 'shape',
  otherwise: 'never',
  key: ({ partition }) => partition,
  judge({ job, setup }) {
    const wanted = [...setup.watch, ...(setup.explicit === undefined ? [] : [setup.explicit])];
    const has = job.partition.split(',').some((p) => wanted.includes(p));
    return { pass: has, measured: job.partition, limit: wanted.join(' or ') };
  },
};
