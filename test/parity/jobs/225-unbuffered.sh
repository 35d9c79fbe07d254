#!/bin/bash
for n in 1 2 3 4 5; do printf "%s" "$n"; sleep 0.1; done; echo
