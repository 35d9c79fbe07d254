#!/bin/bash
#PARITY line ready: scancel $JOB
for n in 1 2 3; do (trap "echo child $n >> children; exit" TERM; while :; do sleep 0.1; done) & done
trap 'wait; exit 3' TERM
sleep 1
echo ready
wait
