#!/bin/bash
#SBATCH --propagate=CORE
ulimit -c 0
echo "ending by TRAP"
kill -TRAP $$
sleep 30
