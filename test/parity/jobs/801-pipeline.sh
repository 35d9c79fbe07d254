#!/bin/bash
set -euo pipefail
seq 1 5000 | awk '{ print $1 % 7 }' | sort | uniq -c | sort -rn > counts.txt
head -n 2 counts.txt
