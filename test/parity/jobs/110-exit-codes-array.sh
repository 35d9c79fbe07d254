#!/bin/bash
#SBATCH --array=0,3,64,129,200,254
#SBATCH --output=task-%a.out
exit "$SLURM_ARRAY_TASK_ID"
