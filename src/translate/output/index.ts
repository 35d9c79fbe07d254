/** What a script can be printed as, for another controller. */
import { jobOutput } from './job.ts';
import { jobsetOutput } from './jobset.ts';
import { mpijobOutput } from './mpijob.ts';

export const outputs = { job: jobOutput, jobset: jobsetOutput, mpijob: mpijobOutput } as const;

export type OutputName = keyof typeof outputs;

export type { Output, OutputInput, Printed } from './template.ts';
