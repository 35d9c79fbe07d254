#!/bin/bash
#PARITY line ready: scancel --batch --signal=USR1 $JOB
# Waits without a child, whose end by a signal bash would tell.
exec 9<> <(:)
trap 'echo "caught USR1"; exit 21' USR1
echo ready
while :; do read -rt 0.2 -u 9; done
