#!/bin/bash
#SBATCH --array=1-3
#SBATCH --output=a-%A-%a.out --error=a-%A-%a.err
echo "task $SLURM_ARRAY_TASK_ID of $SLURM_ARRAY_TASK_COUNT"
echo "min $SLURM_ARRAY_TASK_MIN max $SLURM_ARRAY_TASK_MAX step $SLURM_ARRAY_TASK_STEP" >&2
