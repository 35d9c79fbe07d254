#!/bin/bash
#SBATCH --propagate=CORE
ulimit -c 0
echo "ending by SEGV"
kill -SEGV $$
sleep 30
