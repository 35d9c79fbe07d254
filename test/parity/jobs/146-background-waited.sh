#!/bin/bash
for n in 1 2 3; do (sleep 0.$n; echo "child $n" >> children; exit $n) & pids+=($!); done
for pid in "${pids[@]}"; do wait "$pid"; echo "ended with $?"; done
