#!/bin/bash
#PARITY before mkdir -p logs && chmod 2770 logs && chgrp physics logs
#SBATCH --output=logs/%x.%j.out --error=logs/%x.%j.err --job-name=indir
echo a; echo b >&2; pwd
