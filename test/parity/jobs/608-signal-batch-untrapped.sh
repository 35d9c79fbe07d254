#!/bin/bash
#PARITY line ready: scancel --batch --signal=USR1 $JOB
echo ready
sleep 60
