#!/bin/bash
#PARITY before mkdir closed
#PARITY sbatch --chdir="$PWD/closed" --output="$PWD/seen.out" --hold
#PARITY submitted chmod 0 closed; scontrol release $JOB
pwd
cd /tmp && pwd
