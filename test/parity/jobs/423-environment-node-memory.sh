#!/bin/bash
#SBATCH --mem=600M
env -0 > all.environment
echo "$SLURM_MEM_PER_NODE"
