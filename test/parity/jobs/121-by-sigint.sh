#!/bin/bash
#SBATCH --propagate=CORE
ulimit -c 0
echo "ending by INT"
kill -INT $$
sleep 30
