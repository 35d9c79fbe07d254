#!/bin/bash
#SBATCH --requeue --open-mode=append --output=both.out
#PARITY line first: scontrol requeue $JOB
if [ "${SLURM_RESTART_COUNT:-0}" = 0 ]; then echo first; sleep 300; fi
echo "second, restart $SLURM_RESTART_COUNT"
env -0 > again.environment
