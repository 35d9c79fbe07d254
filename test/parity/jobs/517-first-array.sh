#!/bin/bash
#SBATCH --array=1-2 --begin=now+5
exit $((SLURM_ARRAY_TASK_ID - 1))
