#!/bin/bash
#SBATCH --propagate=CORE
ulimit -c 0
echo "ending by XCPU"
kill -XCPU $$
sleep 30
