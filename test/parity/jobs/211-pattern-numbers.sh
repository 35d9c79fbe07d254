#!/bin/bash
#SBATCH --output=n%n-t%t-s%s-J-%J.out
echo here
