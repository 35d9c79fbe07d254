#!/bin/bash
#SBATCH --output=seen.out
ulimit -f 100
{ head -c 1000000 /dev/zero > large; } 2> /dev/null
echo "status $?"
stat -c %s large
