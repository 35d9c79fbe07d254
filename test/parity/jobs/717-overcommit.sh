#!/bin/bash
#PARITY differs overcommit
#SBATCH --overcommit -n 3
echo "$SLURM_NTASKS $SLURM_CPUS_ON_NODE"
