#!/bin/bash
trap 'echo "heard TERM"; exit 3' TERM
mkfifo never
exec 3<> never
echo before
scancel "$SLURM_JOB_ID"
read -r -t 120 -u 3
echo after
