#!/bin/bash
#PARITY differs steps
#PARITY needs srun
# A script that ends its srun, as one with a timer of its own does.
srun -Q sleep 300 & p=$!
sleep 3; kill -TERM $p; wait $p; echo "quiet $?"
# Slurm's own is gone with 0, once in a while, before it has heard of its task's end.
for try in 1 2 3; do
  srun sh -c 'trap "exit 5" TERM; sleep 300 & wait' 2> trapped.err & p=$!
  sleep 3; kill -TERM $p; wait $p; code=$?
  [ $code = 0 ] || break
done
echo "trapped $code"
timeout 3 srun -n1 sleep 300 2> timeout.err; echo "by timeout $?"
sort -u -o timeout.err timeout.err
# Which step it was depends on how often it was tried.
sed -i "s/\.[0-9]* ON/ ON/" trapped.err timeout.err
