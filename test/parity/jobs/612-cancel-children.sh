#!/bin/bash
#PARITY line ready: scancel $JOB
# Waits without a child, whose end by a signal bash would tell.
exec 9<> <(:)
for n in 1 2 3; do (trap "echo child $n >> children-$n; exit" TERM; while :; do read -rt 0.1 -u 9; done) & done
trap 'wait; exit 3' TERM
sleep 1
echo ready
wait
