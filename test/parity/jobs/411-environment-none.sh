#!/bin/bash
#SBATCH --export=NONE
#PARITY env MINE=lost
env -0 > all.environment
echo "MINE=${MINE-unset}"
