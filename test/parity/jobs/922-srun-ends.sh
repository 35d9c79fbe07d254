#!/bin/bash
#PARITY differs steps
#PARITY needs srun
srun -n1 --mem=0 --job-name=one true; srun -n1 --mem=0 sh -c 'kill -USR2 $$' 2> usr2.err; echo "usr2 $?"
srun -n1 --mem=0 sh -c 'exit 300' 2> e300.err; echo "300 $?"
srun -n1 --mem=0 sh -c 'kill -INT $$' 2> int.err; echo "int $?"
srun -n1 --mem=0 sh -c 'kill -TERM $$' 2> term.err; echo "term $?"
srun -n1 --mem=0 sh -c 'kill -KILL $$' 2> kill.err; echo "kill $?"
exit 8
