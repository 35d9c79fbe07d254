import { form } from './units.ts';

/** The name of one Slurm partition. */
export const partition = (doc: string) =>
  form(doc, /^[A-Za-z0-9_.-]+$/, 'write the name of one Slurm partition, such as batch');
