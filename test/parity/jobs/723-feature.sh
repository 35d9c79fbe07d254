#!/bin/bash
#SBATCH --constraint=fast
env -0 > all.environment
scontrol show job "$SLURM_JOB_ID" | grep -o 'Features=\S*'
