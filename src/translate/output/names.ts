/** Apart from what prints them, so that the command line can name them without loading it. */
export const outputNames = ['job', 'jobset', 'mpijob'] as const;

export type OutputName = (typeof outputNames)[number];
