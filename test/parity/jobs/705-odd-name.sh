#!/bin/bash
#PARITY sbatch --job-name='odd: name, (with) é'
echo "$SLURM_JOB_NAME"
