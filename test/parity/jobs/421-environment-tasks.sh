#!/bin/bash
#SBATCH --ntasks=4 --cpus-per-task=2
env -0 > all.environment
echo "$SLURM_NTASKS $SLURM_CPUS_PER_TASK $SLURM_JOB_CPUS_PER_NODE $SLURM_TASKS_PER_NODE"
