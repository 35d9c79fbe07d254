#!/bin/bash
coproc UPPER { tr a-z A-Z; }
echo hello >&"${UPPER[1]}"
exec {UPPER[1]}>&-
cat <&"${UPPER[0]}"
