#!/bin/bash
#PARITY line ready: scancel --full --signal=USR2 $JOB
# Waits without a child, whose end by a signal bash would tell.
exec 9<> <(:)
trap 'echo "caught USR2"; exit 22' USR2
echo ready
while :; do read -rt 0.2 -u 9; done
