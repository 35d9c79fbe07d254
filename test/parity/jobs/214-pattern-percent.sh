#!/bin/bash
#SBATCH --output=hundred%%.out
echo here
