#!/bin/bash
#PARITY line ready: scancel --full --signal=USR2 $JOB
trap 'echo "caught USR2"; exit 22' USR2
echo ready
while :; do sleep 0.2; done
