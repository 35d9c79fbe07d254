#!/bin/bash
#SBATCH --array=1-4
for n in $(seq 10); do flock counter.lock sh -c 'c=$(cat counter 2>/dev/null || echo 0); echo $((c + 1)) > counter'; done
flock -w 0.1 counter.lock true; echo "got $?"
