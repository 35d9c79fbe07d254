#!/bin/bash
for n in $(seq 10); do printf '\r%3d%%' $((n * 10)); sleep 0.1; done
echo
