#!/bin/bash
#SBATCH --no-kill --oversubscribe --wait-all-nodes=1
echo fine
