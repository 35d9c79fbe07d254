#!/bin/bash
#PARITY differs sbatch-in-the-job
#PARITY lines ^submitted another$
sbatch --parsable --hold --wrap true > submitted 2> why
if [ -s submitted ]; then scancel "$(cat submitted)" && echo "submitted another"; fi
rm -f submitted why
