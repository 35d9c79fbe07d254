#!/bin/bash
#SBATCH --mem-per-cpu=100 -n 2
echo "$SLURM_MEM_PER_CPU"
