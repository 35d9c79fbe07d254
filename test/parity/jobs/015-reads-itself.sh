#!/bin/bash
#PARITY differs script-group
#PARITY lines ^\d+ \d+ \d+$
# This comment is found again.
grep -c 'is found again' "$0"
head -n 1 "$0"
basename "$0"
stat -c '%a %u %g' "$0"
