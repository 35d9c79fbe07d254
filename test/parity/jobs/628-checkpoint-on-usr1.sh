#!/bin/bash
#SBATCH --signal=B:USR1@120 --time=10 --open-mode=append --output=run.log
#PARITY line ready: scancel --batch --signal=USR1 $JOB
# The trap is heard at once, as the work is waited for; what the worker saved is the last that it says.
checkpoint() { echo "checkpoint at step $(cat step)"; kill -TERM "$work"; wait "$work"; echo "work $?"; trap - USR1; exit 85; }
trap checkpoint USR1
work() { trap 'echo "saved by the worker"; exit 12' TERM; for s in 1 2 3; do echo $s > step; done; echo ready; while :; do sleep 0.1; done; }
work & work=$!
until wait "$work"; do echo "wait broke off"; done
