#!/bin/bash
#SBATCH --propagate=CORE
ulimit -c 0
echo "ending by BUS"
kill -BUS $$
sleep 30
