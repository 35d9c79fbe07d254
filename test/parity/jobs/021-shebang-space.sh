#! /bin/bash
#
# A comment
#SBATCH --job-name=spaced   --time=5
#   SBATCH --job-name=not
#SBATCH	-c	2
# another comment

#SBATCH --comment "spaced words"   # trailing
echo "$SLURM_JOB_NAME $SLURM_CPUS_PER_TASK"
