#!/bin/bash
#SBATCH --array=2-6:4%1 --output=%a.out
env -0 > "$SLURM_ARRAY_TASK_ID.environment"
