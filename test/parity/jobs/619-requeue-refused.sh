#!/bin/bash
#SBATCH --no-requeue
#PARITY line ready: scontrol requeue $JOB 2>&1 | sed s/$JOB/JOB/g > answer; touch go
echo ready
until [ -e go ]; do sleep 0.1; done
