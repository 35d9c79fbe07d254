#!/bin/bash
#SBATCH --propagate=CORE
ulimit -c 0
echo "ending by USR1"
kill -USR1 $$
sleep 30
