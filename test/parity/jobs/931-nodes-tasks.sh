#!/bin/bash
#PARITY differs steps
#PARITY needs srun
#SBATCH -N 2 --ntasks-per-node=2
env -0 > all.environment
echo "$SLURM_NNODES $SLURM_NTASKS $SLURM_NTASKS_PER_NODE $SLURM_TASKS_PER_NODE"
srun -l sh -c 'echo "node $SLURM_NODEID local $SLURM_LOCALID of $SLURM_TASKS_PER_NODE, $SLURM_GTIDS"' | sort
srun -l -m cyclic sh -c 'echo "node $SLURM_NODEID local $SLURM_LOCALID, $SLURM_GTIDS"' | sort
srun -l -n 3 sh -c 'echo "node $SLURM_NODEID local $SLURM_LOCALID of $SLURM_TASKS_PER_NODE"' | sort
srun --ntasks-per-node=1 sh -c 'echo "one $SLURM_PROCID $SLURM_NTASKS"' | sort
srun sh -c 'env -0 > "task-$SLURM_PROCID.environment"'
srun --output=task-%t-node-%n.txt echo here
seq 5 | srun -l cat | sort
