#!/bin/bash
#SBATCH --output=kept.out --open-mode=truncate
#PARITY before echo "was here before, and longer" > kept.out
echo "written anew"
