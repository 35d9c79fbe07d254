#!/bin/bash
#PARITY differs steps
#PARITY needs srun
#SBATCH -n 2 --cpus-per-task=1
for h in $(scontrol show hostnames "$SLURM_JOB_NODELIST"); do srun -Q -n1 -N1 -w "$h" hostname > /dev/null && echo "reached $h"; done
scontrol show hostlist "$(hostname),$(hostname)" | grep -c .; MASTER=$(scontrol show hostnames | head -n 1); [ "$MASTER" = "$SLURMD_NODENAME" ] && echo "master is here"
export OMP_NUM_THREADS=${SLURM_CPUS_PER_TASK:-1}; srun -Q --cpus-per-task=$OMP_NUM_THREADS sh -c 'echo "$SLURM_PROCID $SLURM_LOCALID $OMP_NUM_THREADS $SLURM_NTASKS"' | sort
srun -Q -n1 --output=step-%j-%s.txt --error=step-%x-%t.err sh -c 'echo o; echo e >&2'; srun -Q -n2 --open-mode=append --output=both.txt echo line; wc -l < both.txt
scontrol show job "$SLURM_JOB_ID" | grep -oE '(NumNodes|NumCPUs|NumTasks|CPUs/Task|JobName|MinMemoryCPU)=\S+'
