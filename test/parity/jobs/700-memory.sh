#!/bin/bash
#SBATCH --mem=300M
python3 -c 'x = bytearray(100 * 1024 * 1024); print(len(x))'
