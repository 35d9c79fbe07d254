#!/bin/bash
#PARITY differs steps
#PARITY needs srun
#SBATCH -n 2
srun -n2 sh -c 'if [ $SLURM_PROCID = 0 ]; then kill -SEGV $$; fi; exit 0' > seg.txt 2>&1; echo "segv $?"
srun -n1 sh -c 'kill -ABRT $$' > /dev/null 2>&1; echo "abrt $?"
srun -n1 /no/such/program > /dev/null 2>&1; echo "missing $?"
srun -n9 true > /dev/null 2>&1; echo "too many $?"
srun -n1 -t 0:05 sh -c 'exit 255' 2>/dev/null; echo "$?"
srun --no-such-option true > /dev/null 2>&1; echo "bad option $?"
