#!/usr/bin/env -S python3 -u
#PARITY differs steps
#PARITY needs srun
#SBATCH -n 2
# A driver in Python whose workers are steps.
import concurrent.futures as cf, json, os, subprocess
code = "import json,os;print(json.dumps({'rank':int(os.environ['SLURM_PROCID']),'n':int(os.environ['SLURM_NTASKS'])}))"
def step(n):
    r = subprocess.run(["srun", "-n1", "--exact", "python3", "-c", code], capture_output=True, text=True)
    return n, r.returncode, json.loads(r.stdout)
with cf.ThreadPoolExecutor(2) as pool:
    for done in sorted(pool.map(step, range(4)), key=lambda d: d[0]): print(done)
r = subprocess.run(["srun", "-n2", "-l", "cat"], input="to both\n", capture_output=True, text=True); print(sorted(r.stdout.splitlines()), r.returncode)
p = subprocess.Popen(["srun", "-n1", "sh", "-c", "kill -9 $$"], stderr=subprocess.DEVNULL); print("killed", p.wait())
