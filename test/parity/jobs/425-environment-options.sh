#!/bin/bash
#SBATCH --job-name=opts --nodes=1 --ntasks-per-node=2 --distribution=cyclic --signal=USR1@30 --exclusive
#PARITY env SBATCH_COMMENT='from the environment' SLURM_HINT=kept
env -0 > all.environment
