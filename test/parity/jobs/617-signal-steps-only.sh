#!/bin/bash
#SBATCH --time=1 --signal=USR1@60
trap 'echo "not for the script"' USR1
sleep 20
echo done
