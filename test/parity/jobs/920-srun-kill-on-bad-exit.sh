#!/bin/bash
#PARITY differs steps
#PARITY needs srun
#SBATCH -n 2
srun -K sh -c 'if [ $SLURM_PROCID = 1 ]; then sleep 1; exit 4; fi; exec sleep 300' 2> killed.err; echo "-K $?"
srun -W 2 sh -c 'if [ $SLURM_PROCID = 1 ]; then exit 0; fi; exec sleep 300' 2> waited.err; echo "-W $?"
sort -o waited.err waited.err
srun -K0 sh -c 'if [ $SLURM_PROCID = 1 ]; then exit 6; fi; sleep 1; echo stays' 2> stays.err; echo "-K0 $?"
