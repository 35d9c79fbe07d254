#!/bin/bash
#SBATCH --array=1-7:3%2 --job-name=sweep
#SBATCH --output=%x_%u/%A_%4a.out --error=%x_%u/%a-%N.err
#PARITY before mkdir -p sweep_alice && printf 'lr,name\n0.1,a b\n0.2,"c"\n0.3,\n0.4,d,e\n0.5,f\n0.6,g\n0.7,last' > params.csv
# Each task takes its own line of a table.
IFS=, read -r lr name rest < <(sed -n "$((SLURM_ARRAY_TASK_ID + 1))p" params.csv)
echo "lr=$lr name=<$name> rest=<$rest> min=$SLURM_ARRAY_TASK_MIN max=$SLURM_ARRAY_TASK_MAX step=$SLURM_ARRAY_TASK_STEP count=$SLURM_ARRAY_TASK_COUNT"
echo "e$SLURM_ARRAY_TASK_ID" >&2
exit $((SLURM_ARRAY_TASK_ID % 3 - 1))
