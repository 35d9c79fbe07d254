#!/bin/bash
#SBATCH --time=7
#PARITY line ready: squeue -h -j $JOB -o '%l %T %u %j' > shown; scontrol show job $JOB | grep -o 'TimeLimit=[^ ]*' >> shown; touch go
echo ready
until [ -e go ]; do sleep 0.1; done
