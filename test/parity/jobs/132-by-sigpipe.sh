#!/bin/bash
#SBATCH --propagate=CORE
ulimit -c 0
echo "ending by PIPE"
kill -PIPE $$
sleep 30
