#!/bin/bash
#PARITY env LINES_OF="$(printf 'one\ntwo = 2\n\nfour')" TRAILING="ends with space "
env -0 > all.environment
echo "$LINES_OF"; echo "[$TRAILING]"
