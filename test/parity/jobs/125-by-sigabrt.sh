#!/bin/bash
#SBATCH --propagate=CORE
ulimit -c 0
echo "ending by ABRT"
kill -ABRT $$
sleep 30
