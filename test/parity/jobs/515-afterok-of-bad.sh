#!/bin/sh
#SBATCH --kill-on-invalid-dep=yes
#PARITY depends afterok 512-first-fails
echo "not reached"
