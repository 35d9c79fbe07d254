#!/bin/bash
#PARITY sbatch -J 'Ünïcødé 世界 $x "q" %j'
#PARITY sbatch -o 'ü-%x.out'
echo "[$SLURM_JOB_NAME]"; env -0 > all.environment
