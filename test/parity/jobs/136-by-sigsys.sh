#!/bin/bash
#SBATCH --propagate=CORE
ulimit -c 0
echo "ending by SYS"
kill -SYS $$
sleep 30
