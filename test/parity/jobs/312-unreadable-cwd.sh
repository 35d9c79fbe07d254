#!/bin/bash
#PARITY before mkdir closed
#PARITY sbatch --chdir="$PWD/closed" --output="$PWD/seen.out" --begin=now+3
#PARITY submitted chmod 0 closed
pwd
cd /tmp && pwd
