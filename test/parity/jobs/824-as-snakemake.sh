#!/bin/sh
# properties = {"rule": "map", "jobid": 7, "wildcards": {"s": "a"}, "resources": {"mem_mb": 200}}
# As Snakemake's jobscript.sh: one long line of &&, and files that say how it ended.
#SBATCH --job-name=snakejob.map.7.sh --output=logs/map/s=a/slurm-%j.log
#PARITY before mkdir -p logs/map/s=a .snakemake && printf '%s\n' b a c > in.txt
cd "$SLURM_SUBMIT_DIR" && PATH='/usr/local/bin':$PATH sh -c 'set -euo pipefail 2>/dev/null; sort in.txt > out.txt.part && mv out.txt.part out.txt' && \
(touch ".snakemake/7.jobfinished" && echo "Finished job 7."; exit 0) || (touch ".snakemake/7.jobfailed"; exit 1)
