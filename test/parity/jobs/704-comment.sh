#!/bin/bash
#PARITY sbatch --comment='a comment of mine; with "quotes"'
echo "$SLURM_JOB_COMMENT"
