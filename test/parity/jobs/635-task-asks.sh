#!/bin/bash
#PARITY differs steps
srun --ntasks=1 bash -c 'squeue -h -j "$SLURM_JOB_ID" -o "%T %u"'
python3 - <<'PY'
import os, subprocess
said = subprocess.run(["squeue", "-h", "-j", os.environ["SLURM_JOB_ID"], "-o", "%T"], capture_output=True, text=True)
print(said.returncode, said.stdout.strip(), said.stderr.strip())
PY
for i in 1 2 3 4 5 6 7 8 9 10; do squeue -h -j "$SLURM_JOB_ID" -o "%T" & done > many
wait
sort many | uniq -c
