#!/bin/bash
#SBATCH --propagate=CORE
ulimit -c 0
echo "ending by ALRM"
kill -ALRM $$
sleep 30
