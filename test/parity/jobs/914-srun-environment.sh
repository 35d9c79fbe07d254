#!/bin/bash
#PARITY differs steps
#PARITY needs srun
#SBATCH -n 2 -c 2 --job-name=stepenv
srun -n1 sh -c 'env -0 > one.environment'
srun -n2 --mpi=none --label sh -c 'env -0 > "two-$SLURM_PROCID.environment"; nice' | sort
nice -n 7 srun -n1 sh -c 'echo $SLURM_PRIO_PROCESS'
srun -n1 cat /proc/self/cmdline | tr '\0' ' '
