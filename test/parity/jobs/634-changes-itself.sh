#!/bin/bash
#SBATCH --time=20
scontrol update jobid="$SLURM_JOB_ID" timelimit=5
echo "shorter: $?"
squeue -h -j "$SLURM_JOB_ID" -o %l
scontrol update jobid="$SLURM_JOB_ID" timelimit=5000000
echo "longer: $?"
scontrol hold "$SLURM_JOB_ID"
echo "hold: $?"
