#!/bin/bash
#SBATCH --requeue --open-mode=append --output=all.out
#PARITY line working: scontrol requeue $JOB
state=$(cat state 2>/dev/null || echo 0)
echo "from $state"
if [ "$state" = 0 ]; then echo 1 > state; echo working; exec sleep 300; fi
