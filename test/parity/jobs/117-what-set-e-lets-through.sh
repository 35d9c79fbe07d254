#!/bin/bash
# What set -e lets through, and what it does not.
set -eEo pipefail
trap 'echo "ERR in ${FUNCNAME[0]:-main} ($?)"' ERR
f() { false; echo "in f after false"; }
f || echo "f is tested: set -e is off in it"
if ! f; then :; fi
x=$(f) || echo "in a substitution: $?"
! true; echo "not true"
false || true; echo "or"
( set +e; false; echo "subshell" )
local_masks() { local y=$(exit 4); echo "masked $?"; }; local_masks
yes | head -n 1 > /dev/null || echo "pipefail: $?"
echo a | grep b | cat || echo "no match $?"
g() { false; }; g
echo "not reached"
