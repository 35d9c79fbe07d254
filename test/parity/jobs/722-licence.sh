#!/bin/bash
#SBATCH -L matlab:1
env -0 > all.environment
scontrol show job "$SLURM_JOB_ID" | grep -o 'Licenses=\S*'
