#!/bin/bash
#PARITY differs killed-by-itself
#SBATCH --propagate=CORE
ulimit -c 0
echo "ending by KILL"
kill -KILL $$
sleep 30
