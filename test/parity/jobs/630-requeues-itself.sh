#!/bin/bash
#SBATCH --requeue --open-mode=append
if [ "${SLURM_RESTART_COUNT:-0}" = 0 ]; then
    echo "first"
    scontrol requeue "$SLURM_JOB_ID"
    sleep 300
fi
echo "second, restart $SLURM_RESTART_COUNT"
