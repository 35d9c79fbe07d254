#!/bin/bash
#SBATCH -o big.out -e big.err
seq -f 'out%.0f' 1 300000 &
seq -f 'err%.0f' 300000 -1 1 >&2 &
wait
