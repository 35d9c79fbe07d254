#!/bin/bash
#PARITY env MINE=kept OTHER=lost
#PARITY sbatch --export=MINE,ADDED='a value'
env -0 > all.environment
echo "$MINE $ADDED ${OTHER-unset}"
