#!/bin/bash
#SBATCH --propagate=CORE
ulimit -c 0
echo "ending by QUIT"
kill -QUIT $$
sleep 30
