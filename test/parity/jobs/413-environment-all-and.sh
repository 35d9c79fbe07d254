#!/bin/bash
#PARITY env MINE='two words' EMPTY=
#PARITY sbatch --export=ALL,ADDED=1
env -0 > all.environment
echo "$MINE $ADDED ${EMPTY-unset}"
