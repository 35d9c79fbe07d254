#!/bin/bash
#PARITY differs steps
#SBATCH -n 2
#PARITY needs srun
srun --output=step-%t.txt sh -c 'echo "task $SLURM_LOCALID"'
