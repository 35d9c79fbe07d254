#!/bin/bash
#PARITY before mkdir real && ln -s real linked
#PARITY sbatch --chdir="$PWD/linked"
pwd
pwd -P
echo "$PWD"
