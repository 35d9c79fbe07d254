#!/bin/sh
#PARITY differs asked-for-by-name
#SBATCH --kill-on-invalid-dep=yes
#PARITY depends afterok 512-first-fails
echo "not reached"
