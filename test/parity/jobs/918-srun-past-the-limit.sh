#!/bin/bash
#PARITY differs steps, step-past-the-limit
#PARITY lines ^slurmstepd: error: \*\*\* STEP
#PARITY needs srun
#PARITY ended sort -o words.err words.err
#SBATCH --time=1
srun sleep 400 2> words.err
