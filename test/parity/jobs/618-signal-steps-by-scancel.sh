#!/bin/bash
#PARITY differs signal-steps, steps
#PARITY lines ^(task heard( nothing)?|User defined signal 1)$
#PARITY line ready: scancel --signal=USR1 $JOB
srun bash -c 'trap "echo task heard; exit 0" USR1; echo ready; for i in $(seq 50); do sleep 0.2; done; echo "task heard nothing"'
