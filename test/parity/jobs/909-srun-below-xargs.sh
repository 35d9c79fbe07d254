#!/bin/bash
#PARITY differs steps
#PARITY needs srun
#SBATCH -n 3
# A pool of workers, as GNU parallel's: xargs keeps three steps going, one of which fails.
seq 7 | xargs -P 3 -I{} srun -n1 --exact -Q sh -c 'echo "input {}" > done-{}; [ {} != 4 ] || exit 9' 2> errs.txt
echo "xargs $?"; cat done-* | sort
sed 's,^[^:]*: error: [^:]*: ,,' errs.txt
rm errs.txt
