#!/bin/bash
#PARITY differs steps
#PARITY needs srun
#PARITY line ready: sleep 2; scancel $JOB
#PARITY ended sort -o words.err words.err
#SBATCH -N 2 --ntasks-per-node=1
echo ready
srun sleep 300 2> words.err
