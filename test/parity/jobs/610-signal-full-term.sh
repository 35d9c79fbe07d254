#!/bin/bash
#PARITY line ready: scancel --full --signal=TERM $JOB
trap 'echo "caught TERM"; exit 23' TERM
echo ready
while :; do sleep 0.2; done
