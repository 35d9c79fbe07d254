#!/bin/bash
#SBATCH --begin=now+3seconds --deadline=now+2hours --time=2 --nice=-0 --requeue
#SBATCH --comment "wörld, 'q' | x=y; z" --mail-type=ALL,TIME_LIMIT_80 --mail-user=x@y.example
#SBATCH --tmp=10M --licenses= --wckey=abc
env -0 > all.environment
