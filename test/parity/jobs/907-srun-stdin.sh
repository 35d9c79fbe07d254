#!/bin/bash
#PARITY differs steps
#PARITY needs srun
#SBATCH -n 2
seq 3 | srun -l cat | sort
srun -n2 --input=0 cat <<< "only rank 0"
while read -r x; do srun -n1 echo "loop $x"; done <<< $'a\nb\nc'
head -c 3000000 /dev/zero | srun -n1 wc -c
