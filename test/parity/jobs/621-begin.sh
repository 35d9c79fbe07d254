#!/bin/sh
#SBATCH --begin=now+10
echo later
