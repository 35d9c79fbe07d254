import type { JobRule } from '../rule.ts';

/** Burst tasks count against `--array=…%N` like any other: never claim more than the throttle leaves. */
export const array: JobRule = {
  name: 'array',
  of: 'job',
  otherwise: 'wait',
  judge({ arrayRoom }) {
    if (arrayRoom === undefined)
      return { pass: true, measured: 'no throttle', limit: 'room under the throttle' };
    return { pass: arrayRoom > 0, measured: `room for ${arrayRoom} tasks`, limit: 'room under the throttle' };
  },
};
