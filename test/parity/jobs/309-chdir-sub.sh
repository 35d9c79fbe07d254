#!/bin/bash
#SBATCH --chdir=sub
#PARITY before mkdir sub
pwd
touch made-here
