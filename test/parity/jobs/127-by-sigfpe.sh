#!/bin/bash
#SBATCH --propagate=CORE
ulimit -c 0
echo "ending by FPE"
kill -FPE $$
sleep 30
