#!/bin/bash
#SBATCH --output=node-%N.out
echo here
