#!/bin/bash
#PARITY line ready: scancel --full --signal=INT $JOB
trap 'echo "script caught INT"' INT
echo ready
sleep 15
echo "sleep ended with $?"
