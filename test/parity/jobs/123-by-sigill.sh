#!/bin/bash
#SBATCH --propagate=CORE
ulimit -c 0
echo "ending by ILL"
kill -ILL $$
sleep 30
