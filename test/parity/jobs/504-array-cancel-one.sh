#!/bin/bash
#SBATCH --array=1-2 --begin=now+15
#PARITY submitted scancel ${JOB}_2
echo "$SLURM_ARRAY_TASK_ID"
