#!/bin/bash
#SBATCH --propagate=CORE
ulimit -c 0
echo "ending by KILL"
kill -KILL $$
sleep 30
