#!/bin/bash
#SBATCH --output=main.out --error=main.err
exec > >(tee log.txt) 2> >(tee err.txt >&2)
echo "to both"; echo "err to both" >&2
for n in 1 2 3; do echo "step $n"; done
exit 4
