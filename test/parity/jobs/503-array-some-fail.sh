#!/bin/bash
#SBATCH --array=1-3
[ "$SLURM_ARRAY_TASK_ID" != 2 ] || exit 12
[ "$SLURM_ARRAY_TASK_ID" != 3 ] || kill -USR2 $$
