#!/bin/sh
#SBATCH --begin=now+5
exit 11
