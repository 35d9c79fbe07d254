#!/bin/bash
#PARITY differs steps
#PARITY needs srun
#SBATCH -N 2 --ntasks-per-node=1
srun sh -c '[ $SLURM_PROCID = 0 ] || exit 5' 2> one.err; echo "one $?"
srun -K sh -c 'if [ $SLURM_PROCID = 1 ]; then exit 6; fi; exec sleep 300' 2> bad.err; echo "-K $?"
srun sh -c 'exit $((SLURM_PROCID + 2))' 2> both.err; echo "both $?"
sort -o both.err both.err
srun sh -c 'if [ $SLURM_PROCID = 1 ]; then kill -SEGV $$; fi'
