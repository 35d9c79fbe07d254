#!/bin/bash
#SBATCH -N 1-1 --ntasks-per-node=2
echo "$SLURM_NTASKS_PER_NODE $SLURM_TASKS_PER_NODE"
