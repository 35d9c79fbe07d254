#!/bin/bash
#SBATCH --job-name=named --output=%x-%u-%j.out --error=%x.%j.err
echo "named $SLURM_JOB_NAME"
