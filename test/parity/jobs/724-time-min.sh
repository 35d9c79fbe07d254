#!/bin/bash
#SBATCH --time=9 --time-min=3
env -0 > all.environment
squeue -h -j "$SLURM_JOB_ID" -o %l
