#!/bin/bash
#PARITY sbatch --export=ALL,'X=a b',Y="q'q",Z=
#PARITY env KEEP=1
env -0 > all.environment
echo "[$X] [$Y] [$Z] $KEEP"
