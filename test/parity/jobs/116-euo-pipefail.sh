#!/bin/bash
set -euo pipefail
trap 'echo "failed at line $LINENO: $BASH_COMMAND ($?)" >&2' ERR
trap 'echo "exit $?"' EXIT
x=$(echo fine | tee kept.txt)
echo "$x"
grep -q nothing kept.txt | cat > /dev/null
echo "not reached"
