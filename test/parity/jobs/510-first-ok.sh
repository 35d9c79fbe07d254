#!/bin/sh
#SBATCH --begin=now+5
echo fine
