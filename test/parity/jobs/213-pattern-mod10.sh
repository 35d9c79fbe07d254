#!/bin/bash
#SBATCH --array=12
#SBATCH --output=mod-%b.out
echo "task $SLURM_ARRAY_TASK_ID"
