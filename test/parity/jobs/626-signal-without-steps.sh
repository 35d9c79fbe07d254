#!/bin/bash
#PARITY line ready: scancel --signal=USR1 $JOB; touch sent
trap 'echo "not for the script"' USR1
echo ready
until [ -e sent ]; do sleep 0.1; done
sleep 2
echo "heard nothing"
