#!/bin/bash
#SBATCH -J from-script -t 3
#SBATCH --comment="in the script"
##SBATCH --time=1
echo "$SLURM_JOB_NAME"
#SBATCH --job-name=too-late
