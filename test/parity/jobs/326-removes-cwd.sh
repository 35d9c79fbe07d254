#!/bin/bash
#PARITY before mkdir gone
#PARITY sbatch --chdir="$PWD/gone" --output="$PWD/seen.out"
rmdir "$PWD" && echo removed
touch x 2>/dev/null || echo "nowhere to write"
