#!/bin/bash
#SBATCH --array=1-5
echo "task $SLURM_ARRAY_TASK_ID of job $SLURM_ARRAY_JOB_ID"
