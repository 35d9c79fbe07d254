#!/bin/bash
#SBATCH --mem-per-cpu=200M -c 2
env -0 > all.environment
echo "$SLURM_MEM_PER_CPU"
