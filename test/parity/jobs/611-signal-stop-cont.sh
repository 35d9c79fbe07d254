#!/bin/bash
#PARITY line ready: scancel --full --signal=STOP $JOB; sleep 2; scancel --full --signal=CONT $JOB; touch go
echo ready
until [ -e go ]; do sleep 0.1; done
echo "went on"
