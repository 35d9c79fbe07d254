#!/bin/bash
#PARITY differs steps
#PARITY needs srun
#SBATCH -n 4
for n in 1 2 3; do srun -n1 --exact --mem=0 sh -c "sleep 0.$n; echo task $n > bg-$n; exit $n" 2> bg-$n.err & p+=($!); done
for x in "${p[@]}"; do wait $x; echo "step: $?"; done 2> /dev/null
