#!/bin/bash
#PARITY differs steps
#PARITY needs srun
#SBATCH -n 2
# More steps than there is room for: two at a time.
for n in 1 2 3 4 5; do
  srun -Q -n1 --exclusive --mem=0 sh -c 'mkdir at-$0; ls -d at-* | wc -l > seen-$0; sleep 1; rmdir at-$0' $n &
done
wait
sort -n seen-* | tail -n 1; ls seen-*; rm seen-*
