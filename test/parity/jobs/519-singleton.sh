#!/bin/bash
#SBATCH --job-name=only-one --dependency=singleton
echo "alone under this name"
