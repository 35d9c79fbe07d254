#!/bin/bash
#SBATCH --propagate=CORE
ulimit -c 0
echo "ending by USR2"
kill -USR2 $$
sleep 30
