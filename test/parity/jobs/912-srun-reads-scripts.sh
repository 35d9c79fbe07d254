#!/bin/bash
#PARITY differs steps
#PARITY needs srun
#SBATCH -n 2
srun -n1 -QQ bash -s -- a "b c" 2> /dev/null <<'SH'
echo "$# $2 $SLURM_NTASKS"; read -r line; echo "read $line"
the next line of the script is its input
exit 6
SH
echo "bash -s: $?"
srun -n2 -l python3 - <<PY | sort
import os, sys; print(os.environ["SLURM_PROCID"], sys.argv, $((6 * 7)))
PY
srun -n1 cat < <(echo substituted) ; srun -n2 --input=none cat <<< never; srun -n1 < /dev/null wc -c
echo left | { srun -n1 true; cat; }
