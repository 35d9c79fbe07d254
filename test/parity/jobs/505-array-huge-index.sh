#!/bin/bash
#SBATCH --array=1000
echo "$SLURM_ARRAY_TASK_ID"
