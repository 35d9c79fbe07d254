#!/bin/bash
#SBATCH --time=1
echo started
sleep 600
