#!/bin/bash
#PARITY line ready: scontrol write batch_script $JOB written.txt; touch go
echo ready
until [ -e go ]; do sleep 0.1; done
