#!/bin/bash
#SBATCH -c 4
seq 1 20 | xargs -P 4 -I{} sh -c 'echo {} > part-{}'
cat part-* | sort -n | paste -sd+ | tr '+' ' '
