#!/bin/bash
#SBATCH --open-mode=append --output=o.log --error=e.log
#PARITY before echo old > o.log; echo olderr > e.log; chmod 600 o.log
echo out; echo err >&2
