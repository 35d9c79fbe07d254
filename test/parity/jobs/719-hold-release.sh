#!/bin/bash
#SBATCH --hold
#PARITY submitted sleep 3; scontrol release $JOB
echo released
