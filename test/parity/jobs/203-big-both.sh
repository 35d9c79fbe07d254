#!/bin/bash
#SBATCH -o big.out -e big.err
seq 1 400000 &
seq 400000 -1 1 >&2 &
wait
