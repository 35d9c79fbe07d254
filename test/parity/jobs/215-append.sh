#!/bin/bash
#SBATCH --output=kept.out --open-mode=append
#PARITY before echo "was here before" > kept.out
echo "added"
