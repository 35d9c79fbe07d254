/** What a script can be printed as, for another controller. */
import { jobOutput } from './job.ts';
import { jobsetOutput } from './jobset.ts';
import { mpijobOutput } from './mpijob.ts';
import type { OutputName } from './names.ts';

export const outputs = {
  job: jobOutput,
  jobset: jobsetOutput,
  mpijob: mpijobOutput,
} as const satisfies Record<OutputName, unknown>;

export type { OutputName } from './names.ts';
export type { Output, OutputInput, Printed } from './template.ts';
