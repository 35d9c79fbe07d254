#!/bin/bash
#SBATCH --array=1-2 --kill-on-invalid-dep=yes
#PARITY depends aftercorr 517-first-array
echo "task $SLURM_ARRAY_TASK_ID"
