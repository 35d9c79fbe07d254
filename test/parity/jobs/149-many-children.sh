#!/bin/bash
for n in $(seq 200); do true & done
wait
echo "all 200 ended"
