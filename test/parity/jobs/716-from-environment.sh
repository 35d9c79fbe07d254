#!/bin/bash
#PARITY env SBATCH_TIMELIMIT=4 SBATCH_JOB_NAME=environment
echo "$SLURM_JOB_NAME"
