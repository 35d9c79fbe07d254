#!/bin/bash
#PARITY sbatch --chdir="$PWD/missing" --output="$PWD/seen.out"
pwd
