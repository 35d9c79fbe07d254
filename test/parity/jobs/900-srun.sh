#!/bin/bash
#PARITY differs steps
#SBATCH -n 2
#PARITY needs srun
srun sh -c 'echo "rank $SLURM_PROCID of $SLURM_NTASKS"' | sort
