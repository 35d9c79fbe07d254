#!/bin/bash
#PARITY differs steps
#PARITY needs srun
#SBATCH -N 2 --ntasks-per-node=2
cat > multi.conf <<'C'
0 echo master
1-3 sh -c 'echo worker %t offset %o on node $SLURM_NODEID'
C
srun -l --multi-prog multi.conf | sort
[ "$(srun -N2 -n2 sh -c 'echo $SLURMD_NODENAME' | sort | xargs)" = "$(scontrol show hostnames | sort | xargs)" ] && echo "on each"
