#!/bin/bash
#SBATCH --time=1
trap 'echo "caught TERM, cleaning up"; sleep 2; echo clean; exit 0' TERM
echo started
while :; do sleep 0.5; done
