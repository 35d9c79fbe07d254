#!/bin/bash
#SBATCH --output=shared.out
#PARITY differs own-output
#PARITY lines ^(first|by the script|last)$
# The script appends to the file that its own output goes to.
echo first
echo "by the script" >> shared.out
echo last
