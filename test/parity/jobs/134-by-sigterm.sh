#!/bin/bash
#SBATCH --propagate=CORE
ulimit -c 0
echo "ending by TERM"
kill -TERM $$
sleep 30
