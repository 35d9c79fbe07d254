#!/bin/bash
#PARITY differs steps
#PARITY needs srun
#SBATCH -N 2
echo "$SLURM_NNODES $SLURM_JOB_NUM_NODES $SLURM_NTASKS $SLURM_NPROCS $SLURM_TASKS_PER_NODE $SLURM_JOB_CPUS_PER_NODE $SLURM_NODEID"
scontrol show hostnames "$SLURM_JOB_NODELIST" | wc -l
scontrol show hostnames | sort -u | wc -l
scontrol show hostname "$SLURM_JOB_NODELIST" | head -n 1 | grep -cx "$SLURMD_NODENAME"
srun sh -c 'echo $SLURMD_NODENAME' | sort -u | wc -l
srun -N2 sh -c 'echo "$SLURM_PROCID $SLURM_NODEID $SLURM_LOCALID $SLURM_NNODES $SLURM_NTASKS"' | sort
srun -N1 -n1 sh -c 'echo "$SLURM_NNODES $SLURM_NTASKS"'
srun -N1 -n1 -r 1 sh -c 'echo "$SLURM_STEP_NODELIST"' | grep -cx "$(scontrol show hostnames | tail -n 1)"
srun -n1 -N1 -w "$(scontrol show hostnames | tail -n 1)" sh -c 'pwd; id -un; umask'
