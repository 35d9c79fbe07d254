#!/bin/bash
#SBATCH --array=1-4%2
echo "$SLURM_ARRAY_TASK_ID" > "did-$SLURM_ARRAY_TASK_ID"
