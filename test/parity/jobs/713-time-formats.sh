#!/bin/bash
#SBATCH --time=0-00:05:30
echo fine
