import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { fullShape, readValues, type Values } from '../../../adapters/slurm/squeue.ts';

/** The mark of the recorded answers; a live call makes one up. */
export const mark = '\x1fmFIXTURE';

export function fixture(name: string): string {
  return readFileSync(fileURLToPath(new URL(`../../fixtures/slurm/${name}.txt`, import.meta.url)), 'utf8');
}

/** One job as squeue told it. */
export function valuesOf(name: string): Values {
  const { jobs } = readValues(fixture(`squeue-${name}`), fullShape, mark);
  const [first] = jobs;
  if (first === undefined) throw new Error(`fixture squeue-${name} holds no job`);
  return first;
}
