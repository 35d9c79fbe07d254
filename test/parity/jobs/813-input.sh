#!/bin/bash
#SBATCH --input=numbers.txt
#PARITY before seq 3 > numbers.txt
cat
