#!/bin/bash
#SBATCH --mail-type=END,FAIL --mail-user=alice@localhost
echo mailed
