#!/bin/bash
#PARITY differs steps
#PARITY needs srun
#PARITY line ready: sleep 2; scancel $JOB
#PARITY ended sort -o words.err words.err; sort -o slurm-$JOB.out slurm-$JOB.out
#SBATCH -n 2
# What its tasks have to say when they are told, and in which order who says so does not matter.
echo ready
srun sh -c 'trap "echo task \$SLURM_PROCID was told; exit 3" TERM; sleep 300 & wait' 2> words.err
