#!/bin/bash
#SBATCH --time=1
# Waits without a child, whose end by a signal bash would tell.
exec 9<> <(:)
trap 'echo "caught TERM, cleaning up"; sleep 2; echo clean; exit 0' TERM
echo started
while :; do read -rt 0.5 -u 9; done
