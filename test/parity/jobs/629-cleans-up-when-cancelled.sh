#!/bin/bash
#PARITY line ready: scancel $JOB
# A trap that cleans up behind a cancelled job, and the children with it.
scratch=$(mktemp -d); results=$SLURM_SUBMIT_DIR/results; mkdir -p "$results"
finish() { code=$?; trap - EXIT TERM; kill $(jobs -p) 2>/dev/null; wait; cp "$scratch"/* "$results"; rm -rf "$scratch"; echo "cleaned after $code"; exit "$code"; }
trap finish EXIT; trap 'exit 143' TERM
echo partial > "$scratch/partial"
sleep 1000 & echo ready
wait $!
