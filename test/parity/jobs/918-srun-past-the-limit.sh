#!/bin/bash
#PARITY differs steps, step-past-the-limit
#PARITY lines ^slurmstepd: error: \*\*\* STEP
#PARITY needs srun
# Slurm signals the step and the script at one moment: which of them hears first, and whether srun has said this line by then, is chance.
#PARITY ended sed -i '/forcing job termination/d' words.err; sort -o words.err words.err
#SBATCH --time=2
trap : TERM
srun sleep 400 2> words.err
exit 7
