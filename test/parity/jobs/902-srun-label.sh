#!/bin/bash
#PARITY differs steps
#SBATCH -n 3
#PARITY needs srun
srun --label sh -c 'echo "step $SLURM_STEP_ID"' | sort
srun -n 1 sh -c 'echo "one task, step $SLURM_STEP_ID"'
