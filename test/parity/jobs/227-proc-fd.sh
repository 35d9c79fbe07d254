#!/bin/bash
#SBATCH -o p.out -e p.err
echo one >> /proc/self/fd/1
echo two >> /proc/self/fd/2
echo three | tee -a /dev/stderr
ls -l /dev/stdin | sed 's/.*-> //'
readlink /proc/$$/fd/0
exec 3>&1 1>&2 2>&3; echo "swapped: in err"; echo "swapped: in out" >&2
