/** The base image with Debian's Open MPI in it, and a program that adds up a checked sum over all ranks. */
import { existsSync, mkdirSync, symlinkSync } from 'node:fs';
import { must } from '../real/proc.ts';
import { basePackages, rootOf } from './base.ts';

export const mpiPackages: readonly string[] = [
  ...basePackages,
  ...['openmpi-bin', 'openmpi-common', 'libopenmpi3', 'libpmix2', 'libhwloc15', 'libucx0'],
];
/** What compiles the program, on the machine alone. */
export const mpiCompiler: readonly string[] = ['libopenmpi-dev', 'gcc'];

export const program = new URL('allreduce.c', import.meta.url).pathname;

export async function openmpiRoot(root: string): Promise<void> {
  await rootOf(root, mpiPackages);
  mkdirSync(`${root}/usr/local/bin`, { recursive: true });
  await must(['mpicc.openmpi', '-O1', '-o', `${root}/usr/local/bin/allreduce`, program]);
  // Names that update-alternatives makes, which no package lists.
  for (const name of ['mpirun', 'mpiexec'])
    if (!existsSync(`${root}/usr/bin/${name}`)) symlinkSync('orterun', `${root}/usr/bin/${name}`);
}
