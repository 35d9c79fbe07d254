#!/bin/sh
#SBATCH --deadline=now+30minutes --time=5
echo "in time"
