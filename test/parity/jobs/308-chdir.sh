#!/bin/bash
#SBATCH --chdir=/tmp
#SBATCH --output=/dev/null
#PARITY args "$PWD/seen"
pwd > "$1"
echo "$SLURM_SUBMIT_DIR" >> "$1"
