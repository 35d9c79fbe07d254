#!/bin/bash
#PARITY sbatch --output='with spaces é.out'
echo here
