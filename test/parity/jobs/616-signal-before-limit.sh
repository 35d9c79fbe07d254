#!/bin/bash
#SBATCH --time=2 --signal=B:USR1@90
trap 'echo "told to hurry"; touch checkpoint; exit 0' USR1
while :; do sleep 0.5; done
