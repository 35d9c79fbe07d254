#!/bin/bash
#SBATCH --array=1-5%2 --job-name=arr
#SBATCH --output=%x-%A-%a.log --error=%x-%A_%a.err
echo "t $SLURM_ARRAY_TASK_ID" ; echo "$SLURM_ARRAY_JOB_ID" > /dev/null
case $SLURM_ARRAY_TASK_ID in 2) exit 2;; 4) kill -9 $$;; 5) exec false;; esac
