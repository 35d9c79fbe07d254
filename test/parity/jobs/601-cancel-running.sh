#!/bin/bash
#PARITY line ready: scancel $JOB
echo ready
sleep 300
