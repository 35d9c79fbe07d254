#!/bin/bash
#SBATCH --job-name=script --time=3
#PARITY sbatch --job-name=line --time=4
echo "$SLURM_JOB_NAME"
