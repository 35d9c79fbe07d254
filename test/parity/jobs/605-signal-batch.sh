#!/bin/bash
#PARITY line ready: scancel --batch --signal=USR1 $JOB
trap 'echo "caught USR1"; exit 21' USR1
echo ready
while :; do sleep 0.2; done
