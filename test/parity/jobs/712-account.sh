#!/bin/bash
#SBATCH --account=physics
echo "$SLURM_JOB_ACCOUNT $SLURM_JOB_QOS"
