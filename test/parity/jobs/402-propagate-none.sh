#!/bin/bash
#SBATCH --propagate=NONE
#PARITY env ulimit -S -n 300;
ulimit -S -n
